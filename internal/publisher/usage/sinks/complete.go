package sinks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/flagside/flagside/internal/publisher/configfile"
	"github.com/flagside/flagside/internal/publisher/egress"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

// buckets are the names that buckets can have, and prefixes those of folders in them.
var (
	buckets  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixes = regexp.MustCompile(`^([A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*)?$`)
)

func (w writtenSink) complete(read configfile.Read) (Sink, error) {
	s := Sink{Name: w.Name, Kind: w.Kind, Environments: w.Environments, Series: w.Series, Timeout: defaultTimeout, Every: filesEvery}
	if !names.MatchString(w.Name) {
		return s, configfile.Wrong("name", "a name has 1 to 48 lower-case letters, digits and hyphens")
	}
	if len(s.Series) == 0 {
		s.Series = rows.All()
	}
	for i, one := range s.Series {
		if !slices.Contains(rows.All(), one) {
			return s, configfile.Wrong(fmt.Sprint("series/", i), "want counts, exposures or outcomes")
		}
	}
	steps := []func(*Sink, configfile.Read) error{w.allow, w.certificates, w.times}
	switch w.Kind {
	case KindParquet:
		steps = append(steps, w.files)
	case KindOTLP:
		steps = append(steps, w.records)
	default:
		return s, configfile.Wrong("kind", "want parquet or otlp")
	}
	for _, step := range steps {
		if err := step(&s, read); err != nil {
			return s, err
		}
	}
	return s, nil
}

// allow reads which addresses that are not public may be reached.
func (w writtenSink) allow(out *Sink, _ configfile.Read) (err error) {
	networks, at, err := egress.ParseAllowed(w.AllowPrivate)
	if err != nil {
		return configfile.Wrong("allowPrivate"+at, "%w", err)
	}
	out.AllowPrivate = networks
	return nil
}

func (w writtenSink) certificates(out *Sink, read configfile.Read) error {
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

func (w writtenSink) times(out *Sink, _ configfile.Read) (err error) {
	if w.Kind == KindOTLP {
		out.Every = recordsEvery
	}
	if w.Every != "" {
		if out.Every, err = time.ParseDuration(w.Every); err != nil || out.Every < minEvery || out.Every > maxEvery {
			return configfile.Wrong("every", "want a duration from %s to %s, such as 5m", minEvery, maxEvery)
		}
	}
	if w.Timeout != "" {
		if out.Timeout, err = time.ParseDuration(w.Timeout); err != nil || out.Timeout < minTimeout || out.Timeout > maxTimeout {
			return configfile.Wrong("timeout", "want a duration from %s to %s, such as 30s", minTimeout, maxTimeout)
		}
	}
	return nil
}

// files reads where files go.
func (w writtenSink) files(out *Sink, read configfile.Read) error {
	switch {
	case w.URL != "" || w.URLFile != "" || w.HeadersFile != "":
		return configfile.Wrong("", "url, urlFile and headersFile are for sinks of kind otlp")
	case (w.Directory == "") == (w.S3 == nil):
		return configfile.Wrong("", "give either directory or s3")
	case w.S3 != nil:
		return w.bucket(out, read)
	case !filepath.IsAbs(w.Directory):
		return configfile.Wrong("directory", "want the whole path of a directory, which begins with /")
	}
	out.Directory = w.Directory
	return nil
}

func (w writtenSink) bucket(out *Sink, read configfile.Read) error {
	b := &Bucket{Region: w.S3.Region, Name: w.S3.Bucket, Prefix: strings.Trim(w.S3.Prefix, "/")}
	var err error
	if b.Endpoint, err = egress.ParseURL(w.S3.Endpoint, out.AllowPrivate); err != nil {
		return configfile.Wrong("s3/endpoint", "%w", err)
	}
	if strings.Trim(b.Endpoint.Path, "/") != "" || b.Endpoint.RawQuery != "" {
		return configfile.Wrong("s3/endpoint", "want the address of the server alone: the bucket and the prefix have members of their own")
	}
	if !buckets.MatchString(b.Name) {
		return configfile.Wrong("s3/bucket", "want the name of a bucket")
	}
	if !prefixes.MatchString(b.Prefix) {
		return configfile.Wrong("s3/prefix", "want names of folders: letters, digits, -, _, = and dots that are not first, with / between them")
	}
	if (w.S3.AccessKeyFile == "") != (w.S3.SecretKeyFile == "") {
		return configfile.Wrong("s3", "give both accessKeyFile and secretKeyFile, or neither for those in the environment")
	}
	if w.S3.AccessKeyFile != "" {
		if b.AccessKey, err = key(w.S3.AccessKeyFile, read); err != nil {
			return configfile.Wrong("s3/accessKeyFile", "%w", err)
		}
		if b.SecretKey, err = key(w.S3.SecretKeyFile, read); err != nil {
			return configfile.Wrong("s3/secretKeyFile", "%w", err)
		}
	}
	out.Bucket = b
	return nil
}

func key(file string, read configfile.Read) (string, error) {
	content, err := read(file)
	text := strings.TrimSpace(string(content))
	if err == nil && (text == "" || strings.ContainsAny(text, " \t\r\n")) {
		err = errors.New("want one key and nothing else in the file")
	}
	return text, err
}

// records reads where log records go.
func (w writtenSink) records(out *Sink, read configfile.Read) error {
	if w.Directory != "" || w.S3 != nil {
		return configfile.Wrong("", "directory and s3 are for sinks of kind parquet")
	}
	if (w.URL == "") == (w.URLFile == "") {
		return configfile.Wrong("", "give either url or urlFile")
	}
	member, text := "url", w.URL
	if w.URLFile != "" {
		content, err := read(w.URLFile)
		if err != nil {
			return configfile.Wrong("urlFile", "%w", err)
		}
		member, text = "urlFile", strings.TrimSpace(string(content))
	}
	var err error
	if out.URL, err = egress.ParseURL(text, out.AllowPrivate); err != nil {
		return configfile.Wrong(member, "%w", err)
	}
	if w.HeadersFile == "" {
		return nil
	}
	content, err := read(w.HeadersFile)
	if err == nil {
		out.Header, err = headers(content)
	}
	if err != nil {
		return configfile.Wrong("headersFile", "%w", err)
	}
	return nil
}

// headers reads lines such as "Authorization: Bearer ...". Errors say nothing of them but which line it is.
func headers(content []byte) (http.Header, error) {
	all := make(http.Header)
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("line %d: want a header such as Authorization: Bearer TOKEN", n)
		}
		all.Add(name, value)
	}
	return all, lines.Err()
}
