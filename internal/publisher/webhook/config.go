package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/configfile"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/egress"
	"github.com/flagside/flagside/internal/reload"
)

// Format is how an event is told.
type Format string

// The formats.
const (
	FormatCloudEvents Format = "cloudevents"
	FormatSlack       Format = "slack"
	FormatTeams       Format = "teams"
	FormatText        Format = "text"
)

const (
	defaultTimeout = 10 * time.Second
	minTimeout     = time.Second
	maxTimeout     = time.Minute
	maxWebhooks    = 100
	maxSecrets     = 4
)

// names are those that a webhook can have: they name consumers, too.
var names = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// Config is what the file of webhooks says, with what the files say that it names. It holds secrets.
type Config struct {
	// RequestLink is the address of a change request for people, with {environment} and {request} in it; empty is none.
	RequestLink string
	Webhooks    []Webhook
}

// Webhook is one receiver. It holds secrets.
type Webhook struct {
	Name         string
	URL          *url.URL // any part but the scheme and the host may be secret
	Format       Format
	Environments []string // empty is all
	Events       []string // types, or patterns of them; empty is all
	Secrets      []Secret
	AllowPrivate []netip.Prefix // of addresses that are not public
	CA           []byte         // PEM of certificates for the receiver; nil leaves that to the system
	Timeout      time.Duration
}

// Host returns what may be shown of the address.
func (w Webhook) Host() string { return w.URL.Scheme + "://" + w.URL.Host }

// permit returns why events are not sent to an address that the name of the host leads to, or nil.
func (w Webhook) permit(address netip.Addr) error {
	return egress.Over(w.URL.Scheme, w.AllowPrivate)(address)
}

// wants reports whether events of a type are to be told. break-glass stands for all that went without approvals.
func (w Webhook) wants(kind string, breaksGlass bool) bool {
	return len(w.Events) == 0 || slices.ContainsFunc(w.Events, func(pattern string) bool {
		matched, _ := path.Match(pattern, kind) // patterns were checked
		return matched || pattern == breakGlass && breaksGlass
	})
}

// breakGlass among the events of a webhook stands for all that went without approvals.
const breakGlass = "break-glass"

// isIn reports whether events of an environment are to be told.
func (w Webhook) isIn(environment string) bool {
	return len(w.Environments) == 0 || slices.Contains(w.Environments, environment)
}

// written is the file of webhooks.
type written struct {
	RequestLink string           `json:"requestLink"`
	Webhooks    []writtenWebhook `json:"webhooks"`
}

type writtenWebhook struct {
	Name         string         `json:"name"`
	URL          string         `json:"url"`
	URLFile      string         `json:"urlFile"`
	Format       Format         `json:"format"`
	Environments []string       `json:"environments"`
	Events       []string       `json:"events"`
	SecretFiles  []string       `json:"secretFiles"`
	AllowPrivate jsontext.Value `json:"allowPrivate"`
	CAFile       string         `json:"caFile"`
	Timeout      string         `json:"timeout"`
}

// entries says what the file lists.
func entries() configfile.Entries {
	return configfile.Entries{
		One: "webhook", Many: "webhooks", Names: names,
		Members: "a webhook has name, url or urlFile, format, environments, events, secretFiles, allowPrivate, caFile and timeout",
	}
}

// Open reads the file of webhooks for the first time. It is an error if it cannot be used.
func Open(path string, logger zerolog.Logger) (*reload.File[Config], error) {
	return configfile.Open(path, entries(), Parse, logger)
}

// Parse reads the file of webhooks, which has a name, and with read the files that it names. Relative names are relative to its folder. Errors have the
// place, and never say what a file or an address says.
func Parse(name string, content []byte, read configfile.Read) (Config, error) {
	return configfile.Parse(name, content, entries(), read, written.complete)
}

func (f written) complete(read configfile.Read) (Config, error) {
	c := Config{RequestLink: f.RequestLink}
	if err := validateLink(f.RequestLink); err != nil {
		return c, err
	}
	if len(f.Webhooks) > maxWebhooks {
		return c, configfile.Wrong("webhooks", "%d webhooks are too many: %d at most", len(f.Webhooks), maxWebhooks)
	}
	for i, w := range f.Webhooks {
		completed, err := w.complete(read)
		if err == nil && slices.ContainsFunc(c.Webhooks, func(other Webhook) bool { return other.Name == w.Name }) {
			err = configfile.Wrong("name", "%s is the name of another webhook", w.Name)
		}
		if err != nil {
			return c, entries().At(i, w.Name, err)
		}
		c.Webhooks = append(c.Webhooks, completed)
	}
	return c, nil
}

func validateLink(link string) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(linkOf(link, "e", "r"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || !strings.Contains(link, requestInLink) {
		return configfile.Wrong("requestLink", "want an address without a user name, such as https://flags.example.com/environments/{environment}/requests/{request}")
	}
	return nil
}

func (w writtenWebhook) complete(read configfile.Read) (Webhook, error) {
	out := Webhook{Name: w.Name, Format: w.Format, Environments: w.Environments, Events: w.Events, Timeout: defaultTimeout}
	if out.Format == "" {
		out.Format = FormatCloudEvents
	}
	if !names.MatchString(w.Name) {
		return out, configfile.Wrong("name", "a name has 1 to 64 lower-case letters, digits and hyphens")
	}
	if !slices.Contains([]Format{FormatCloudEvents, FormatSlack, FormatTeams, FormatText}, out.Format) {
		return out, configfile.Wrong("format", "want cloudevents, slack, teams or text")
	}
	for i, pattern := range w.Events {
		if !isKnown(pattern) {
			return out, configfile.Wrong(fmt.Sprint("events/", i), "no event has such a type: want one of %s, or a pattern such as request.*", strings.Join(types(), ", "))
		}
	}
	for _, complete := range []func(*Webhook, configfile.Read) error{w.allow, w.address, w.secrets, w.certificates, w.timeout} {
		if err := complete(&out, read); err != nil {
			return out, err
		}
	}
	return out, nil
}

// types returns what webhooks can be told: all types of events but that of the end of an environment, after which no publisher runs.
func types() []string {
	all := []string{activity.TypeChange, breakGlass}
	for _, kind := range requests.EventTypes() {
		if kind != requests.EventDestroyed {
			all = append(all, string(kind))
		}
	}
	return append(all, typeTest)
}

// isKnown reports whether a pattern is for events that there are.
func isKnown(pattern string) bool {
	return slices.ContainsFunc(types(), func(kind string) bool {
		matched, err := path.Match(pattern, kind)
		return err == nil && matched
	})
}

func (w writtenWebhook) timeout(out *Webhook, _ configfile.Read) error {
	if w.Timeout == "" {
		return nil
	}
	var err error
	if out.Timeout, err = time.ParseDuration(w.Timeout); err != nil || out.Timeout < minTimeout || out.Timeout > maxTimeout {
		return configfile.Wrong("timeout", "want a duration from %s to %s, such as 10s", minTimeout, maxTimeout)
	}
	return nil
}

// address reads where events go.
func (w writtenWebhook) address(out *Webhook, read configfile.Read) error {
	member, text := "url", w.URL
	if (w.URL == "") == (w.URLFile == "") {
		return configfile.Wrong("", "give either url or urlFile")
	}
	if w.URLFile != "" {
		content, err := read(w.URLFile)
		if err != nil {
			return configfile.Wrong("urlFile", "%w", err)
		}
		member, text = "urlFile", strings.TrimSpace(string(content))
	}
	u, err := egress.ParseURL(text, out.AllowPrivate)
	if err != nil {
		return configfile.Wrong(member, "%w", err)
	}
	out.URL = u
	return nil
}

func (w writtenWebhook) secrets(out *Webhook, read configfile.Read) error {
	if len(w.SecretFiles) == 0 && out.Format == FormatCloudEvents {
		return configfile.Wrong("", "secretFiles is missing: without a secret the receiver cannot tell our events from others; make one with "+
			`echo "whsec_$(openssl rand -base64 32)"`)
	}
	if len(w.SecretFiles) > maxSecrets {
		return configfile.Wrong("secretFiles", "%d secrets are too many: %d at most", len(w.SecretFiles), maxSecrets)
	}
	for i, file := range w.SecretFiles {
		if strings.HasPrefix(file, secretPrefix) {
			return configfile.Wrong(fmt.Sprint("secretFiles/", i), "%w", configfile.NoName())
		}
		content, err := read(file)
		if err == nil {
			var secret Secret
			if secret, err = ParseSecret(string(content)); err != nil {
				err = fmt.Errorf("%s: %w", file, err)
			}
			out.Secrets = append(out.Secrets, secret)
		}
		if err != nil {
			return configfile.Wrong(fmt.Sprint("secretFiles/", i), "%w", err)
		}
	}
	return nil
}

func (w writtenWebhook) certificates(out *Webhook, read configfile.Read) error {
	if w.CAFile == "" {
		return nil
	}
	content, err := read(w.CAFile)
	if err == nil {
		err = egress.ValidateCA(content)
	}
	if err != nil {
		return configfile.Wrong("caFile", "%w", err)
	}
	out.CA = content
	return nil
}

// allow reads which addresses that are not public may be reached.
func (w writtenWebhook) allow(out *Webhook, _ configfile.Read) error {
	networks, at, err := egress.ParseAllowed(w.AllowPrivate)
	if err != nil {
		return configfile.Wrong("allowPrivate"+at, "%w", err)
	}
	out.AllowPrivate = networks
	return nil
}

const (
	environmentInLink = "{environment}"
	requestInLink     = "{request}"
)

// linkOf returns the address of a change request for people; empty if there is none.
func linkOf(pattern, environment, request string) string {
	return strings.NewReplacer(environmentInLink, url.PathEscape(environment), requestInLink, url.PathEscape(request)).Replace(pattern)
}
