package sinks

import (
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/configfile"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
	"github.com/flagside/flagside/internal/reload"
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

// entries says what the file lists.
func entries() configfile.Entries {
	return configfile.Entries{One: "sink", Many: "sinks", Members: members, Names: names}
}

// Open reads the file of sinks for the first time. It is an error if it cannot be used.
func Open(path string, logger zerolog.Logger) (*reload.File[Config], error) {
	return configfile.Open(path, entries(), Parse, logger)
}

// Parse reads the file of sinks, which has a name, and with read the files that it names. Relative names are relative to its folder. Errors have the
// place, and never say what a file or an address says.
func Parse(name string, content []byte, read configfile.Read) (Config, error) {
	return configfile.Parse(name, content, entries(), read, written.complete)
}

func (f written) complete(read configfile.Read) (Config, error) {
	var c Config
	if len(f.Sinks) > maxSinks {
		return c, configfile.Wrong("sinks", "%d sinks are too many: %d at most", len(f.Sinks), maxSinks)
	}
	for i, w := range f.Sinks {
		s, err := w.complete(read)
		if err == nil {
			err = unlike(c.Sinks, s)
		}
		if err != nil {
			return c, entries().At(i, w.Name, err)
		}
		c.Sinks = append(c.Sinks, s)
	}
	return c, nil
}

// unlike returns why a sink cannot be beside others.
func unlike(others []Sink, s Sink) error {
	for _, o := range others {
		if o.Name == s.Name {
			return configfile.Wrong("name", "%s is the name of another sink", s.Name)
		}
		if o.target() != "" && o.target() == s.target() {
			return configfile.Wrong("", "sink %s writes to the same place, where each row would be there twice", o.Name)
		}
	}
	return nil
}
