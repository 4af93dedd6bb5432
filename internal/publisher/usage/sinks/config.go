package sinks

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

// Kind is what a sink makes of reports.
type Kind string

// The kinds.
const (
	KindParquet Kind = "parquet"
	KindOTLP    Kind = "otlp"
)

const (
	defaultTimeout = 30 * time.Second
	minTimeout     = time.Second
	maxTimeout     = 5 * time.Minute
	filesEvery     = 5 * time.Minute
	recordsEvery   = 10 * time.Second
	minEvery       = time.Second
	maxEvery       = time.Hour
	maxSinks       = 20
)

// names are those that a sink can have: they name consumers, too.
var names = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$`)

// Config is what the file of sinks says, with what the files say that it names. It holds secrets.
type Config struct{ Sinks []Sink }

// Sink is where usage goes. It holds secrets.
type Sink struct {
	Name         string
	Kind         Kind
	Environments []string      // empty is all
	Series       []rows.Series // never empty
	// Every is for how long reports are gathered to one parcel.
	Every time.Duration

	Directory string // of files; empty if they go to a bucket
	Bucket    *Bucket

	URL    *url.URL // of log records; any part but the scheme and the host may be secret
	Header http.Header

	AllowPrivate []netip.Prefix // of addresses that are not public
	CA           []byte         // PEM of certificates for the receiver; nil leaves that to the system
	Timeout      time.Duration  // of one request
}

// Bucket is a bucket of an S3-compatible server. It holds secrets.
type Bucket struct {
	Endpoint             *url.URL
	Region, Name, Prefix string
	AccessKey, SecretKey string // empty leaves them to the environment
}

// isIn reports whether a sink wants the usage of an environment.
func (s Sink) isIn(environment string) bool {
	return len(s.Environments) == 0 || slices.Contains(s.Environments, environment)
}

// target returns where files go, to tell sinks that would write to the same place; empty for others.
func (s Sink) target() string {
	switch {
	case s.Bucket != nil:
		return s.Bucket.Endpoint.Host + "/" + s.Bucket.Name + "/" + s.Bucket.Prefix
	case s.Directory != "":
		return filepath.Clean(s.Directory)
	default:
		return ""
	}
}

// written is the file of sinks.
type written struct {
	Sinks []writtenSink `json:"sinks"`
}

type writtenSink struct {
	Name         string         `json:"name"`
	Kind         Kind           `json:"kind"`
	Environments []string       `json:"environments"`
	Series       []rows.Series  `json:"series"`
	Every        string         `json:"every"`
	Directory    string         `json:"directory"`
	S3           *writtenBucket `json:"s3"`
	URL          string         `json:"url"`
	URLFile      string         `json:"urlFile"`
	HeadersFile  string         `json:"headersFile"`
	AllowPrivate jsontext.Value `json:"allowPrivate"`
	CAFile       string         `json:"caFile"`
	Timeout      string         `json:"timeout"`
}

type writtenBucket struct {
	Endpoint      string `json:"endpoint"`
	Region        string `json:"region"`
	Bucket        string `json:"bucket"`
	Prefix        string `json:"prefix"`
	AccessKeyFile string `json:"accessKeyFile"`
	SecretKeyFile string `json:"secretKeyFile"`
}

// members are what a sink may have, for messages.
const members = "a sink has name, kind, environments, series and every; of kind parquet directory or s3 (endpoint, region, bucket, prefix, accessKeyFile, " +
	"secretKeyFile), of kind otlp url or urlFile, and headersFile; and allowPrivate, caFile and timeout"

// mistake is what is wrong with a value of the file.
type mistake struct {
	pointer string // RFC 6901
	reason  error
}

func (m *mistake) Error() string { return m.reason.Error() }

func wrong(member, format string, arguments ...any) *mistake {
	if member != "" {
		member = "/" + member
	}
	return &mistake{member, fmt.Errorf(format, arguments...)}
}

// Parse reads the file of sinks, which has a name, and with read the files that it names. Relative names are relative to its folder. Errors have the
// place, and never say what a file or an address says.
func Parse(name string, content []byte, read func(file string) ([]byte, error)) (Config, error) {
	text, err := handwritten.Open(name, content)
	if err != nil {
		return Config{}, err
	}
	var file written
	if err := json.Unmarshal(text.JSON(), &file, json.RejectUnknownMembers(true)); err != nil {
		m := shape(err)
		return Config{}, fmt.Errorf("%s: %w", text.Place(m.pointer), m.reason)
	}
	c, err := file.complete(func(file string) ([]byte, error) {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(name), file)
		}
		return read(file)
	})
	if m, ok := errors.AsType[*mistake](err); ok {
		return Config{}, fmt.Errorf("%s: %w", text.Place(m.pointer), m.reason)
	}
	return c, err
}

// shape returns what is wrong with the JSON without what it says, which may be a secret.
func shape(err error) *mistake {
	m := &mistake{reason: errors.New("it is no file of sinks: want sinks, a list; " + members)}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		m.pointer = string(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			m.reason = errors.New("unknown member: " + members)
		} else {
			m.reason = errors.New("another type of value than it must have")
		}
	}
	return m
}

func (f written) complete(read func(string) ([]byte, error)) (Config, error) {
	var c Config
	if len(f.Sinks) > maxSinks {
		return c, wrong("sinks", "%d sinks are too many: %d at most", len(f.Sinks), maxSinks)
	}
	for i, w := range f.Sinks {
		s, err := w.complete(read)
		if err == nil {
			err = unlike(c.Sinks, s)
		}
		if m, ok := errors.AsType[*mistake](err); ok {
			return c, &mistake{fmt.Sprintf("/sinks/%d%s", i, m.pointer), fmt.Errorf("sink %s: %w", label(w.Name, i), m.reason)}
		}
		c.Sinks = append(c.Sinks, s)
	}
	return c, nil
}

// unlike returns why a sink cannot be beside others.
func unlike(others []Sink, s Sink) error {
	for _, o := range others {
		if o.Name == s.Name {
			return wrong("name", "%s is the name of another sink", s.Name)
		}
		if o.target() != "" && o.target() == s.target() {
			return wrong("", "sink %s writes to the same place, where each row would be there twice", o.Name)
		}
	}
	return nil
}

// label names a sink, as far as it has a name.
func label(name string, index int) string {
	if names.MatchString(name) {
		return name
	}
	return fmt.Sprint("number ", index+1)
}
