package sinks

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/egress"
)

// secrets are what the file of sinks may name in these tests.
var secrets = map[string]string{ //nolint:gochecknoglobals // read only
	"/etc/sinks/access":  "AKIAtopsecret\n",
	"/etc/sinks/secret":  "topsecret",
	"/etc/sinks/two":     "topsecret and more",
	"/etc/sinks/empty":   "\n",
	"/etc/sinks/url":     "https://otel.example.com/v1/logs?key=topsecret\n",
	"/etc/sinks/headers": "# for the collector\nAuthorization: Bearer topsecret\n\nX-Scope: a:b\n",
	"/etc/sinks/bad":     "Authorization Bearer topsecret",
}

func readSecrets(file string) ([]byte, error) {
	if text, ok := secrets[file]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("open %s: %w", file, os.ErrNotExist)
}

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := Parse("/etc/sinks/sinks.yaml", []byte(`
sinks:
  - {name: lake, kind: parquet, directory: /var/lib/usage}
  - name: bucket
    kind: parquet
    environments: [prod]
    series: [exposures, outcomes]
    every: 1h
    s3: {endpoint: "https://s3.example.com", region: eu-central-1, bucket: flags, prefix: /usage/of/, accessKeyFile: access, secretKeyFile: /etc/sinks/secret}
  - {name: here, kind: parquet, s3: {endpoint: "http://localhost:9000/", bucket: flags}, allowPrivate: ["127.0.0.0/8"]}
  - {name: logs, kind: otlp, urlFile: url, headersFile: headers, timeout: 5s}
`), readSecrets)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.Sinks {
		d, err := newDestination(s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(s.Name, " ", d.Where(), " ", s.Environments, s.Series, " ", s.Every, " ", s.Timeout, " ", len(s.AllowPrivate), len(s.Header)))
		d.close()
	}
	want := []string{
		"lake /var/lib/usage [] [counts exposures outcomes] 5m0s 30s 0 0",
		"bucket https://s3.example.com/flags/usage/of [prod] [exposures outcomes] 1h0m0s 30s 0 0",
		"here http://localhost:9000/flags [] [counts exposures outcomes] 5m0s 30s 1 0",
		"logs https://otel.example.com [] [counts exposures outcomes] 10s 5s 0 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b := c.Sinks[1].Bucket; b.AccessKey != "AKIAtopsecret" || b.SecretKey != "topsecret" || b.Prefix != "usage/of" {
		t.Errorf("%+v", b)
	}
	if h := c.Sinks[3].Header; h.Get("Authorization") != "Bearer topsecret" || h.Get("X-Scope") != "a:b" {
		t.Errorf("%v", h)
	}
}

// Mistakes are refused with their place, and no message shows a secret.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const lake, s3, logs = "name: lake, kind: parquet, ", `name: b, kind: parquet, s3: {endpoint: "https://s3.example.com", bucket: flags`, "name: logs, kind: otlp, "
	f := func(sink, want string) {
		t.Helper()
		_, err := Parse("/etc/sinks/sinks.yaml", []byte("sinks:\n- {"+sink+"}\n"), readSecrets)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "/etc/sinks/sinks.yaml:") {
			t.Errorf("%s: %v, want %s", sink, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("it shows a secret: %v", err)
		}
	}
	f("name: Lake, kind: parquet, directory: /x", "a name has")
	f("name: lake, directory: /x", "want parquet or otlp")
	f("name: lake, kind: kafka, directory: /x", "want parquet or otlp")
	f(lake+"directory: x", "the whole path")
	f(lake+"every: 5m", "either directory or s3")
	f(lake+"directory: /x, s3: {bucket: flags}", "either directory or s3")
	f(lake+"directory: /x, url: https://example.com", "are for sinks of kind otlp")
	f(lake+"directory: /x, every: 2h", "from 1s to 1h")
	f(lake+"directory: /x, timeout: soon", "from 1s to 5m")
	f(lake+"directory: /x, series: [counts, contexts]", "want counts, exposures or outcomes")
	f(lake+"directory: /x, topics: [a]", "unknown member")
	f(lake+"directory: [x]", "another type of value")
	f(lake+"directory: /x, caFile: secret", "no certificate in PEM")
	f(s3+", prefix: ../x}", "names of folders")
	f(s3+", prefix: a//b}", "names of folders")
	f(s3+", accessKeyFile: access}", "give both")
	f(s3+", accessKeyFile: access, secretKeyFile: two}", "want one key")
	f(s3+", accessKeyFile: empty, secretKeyFile: secret}", "want one key")
	f(s3+", accessKeyFile: none, secretKeyFile: secret}", "no file has this name")
	f(s3+", accessKeyFile: access, secretKeyFile: topsecret/and/more}", "no file has this name") // someone has put the secret itself there
	f(s3+", accessKeyFile: access, secretKeyFile: \"topsecret"+strings.Repeat("x", 300)+"\"}", "no file has this name")
	f(logs+"url: https://example.com, headersFile: \"Authorization: Bearer topsecret\"", "no file has this name")
	f(logs+"urlFile: https://example.com/topsecret", "no name of a file")
	f(lake+"directory: /x, caFile: topsecret", "no file has this name")
	f(`name: b, kind: parquet, s3: {endpoint: "https://s3.example.com/flags", bucket: flags}`, "the server alone")
	f(`name: b, kind: parquet, s3: {endpoint: "https://topsecret@s3.example.com", bucket: flags}`, "user name")
	f(`name: b, kind: parquet, s3: {endpoint: "https://s3.example.com", bucket: "../flags"}`, "name of a bucket")
	f(`name: b, kind: parquet, s3: {endpoint: "http://s3.example.com", bucket: flags}`, "http is for private addresses")
	f(`name: b, kind: parquet, s3: {endpoint: "https://169.254.169.254", bucket: flags}, allowPrivate: true`, "the metadata of a cloud")
	f(logs+"directory: /x", "are for sinks of kind parquet")
	f(logs+"every: 1s", "either url or urlFile")
	f(logs+"url: https://10.0.0.1/v1/logs", "it is private")
	f(logs+"urlFile: secret", "begins with https://")
	f(logs+"url: https://example.com, headersFile: bad", "line 1")
	f(logs+"url: https://example.com, allowPrivate: [10.0.0.1/8]", "not a network")
	f(lake+"directory: /x}\n- {"+lake+"directory: /y", "another sink")
	f(lake+"directory: /x}\n- {name: other, kind: parquet, directory: /x/", "the same place")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("sinks:\n- {name: lake, kind: parquet, directory: /x}\n"))
	f.Add([]byte(`{"sinks":[{"name":"a","kind":"otlp","urlFile":"url","headersFile":"headers","allowPrivate":["10.0.0.0/8"]}]}`))
	f.Add([]byte(`{"sinks":[{"name":"a","kind":"parquet","s3":{"endpoint":"http://10.0.0.1","bucket":"flags","prefix":"x"},"allowPrivate":true}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Parse("/etc/sinks/sinks.yaml", content, readSecrets)
		if err != nil {
			return
		}
		for _, s := range c.Sinks {
			u := s.URL
			if s.Bucket != nil {
				u = s.Bucket.Endpoint
			}
			if (u == nil) == (s.Directory == "") || len(s.Series) == 0 || s.Every < time.Second || s.Timeout < time.Second {
				t.Errorf("%q is taken as %+v", content, s)
			}
			if u == nil {
				continue
			}
			if a, err := netip.ParseAddr(u.Hostname()); err == nil && egress.Permit(a, s.AllowPrivate) != nil {
				t.Errorf("%q: %s is taken", content, a)
			}
		}
	})
}
