package sinks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/egress"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/status"
)

// storage is an S3-compatible server in the process, which can refuse what it is asked.
type storage struct {
	address *url.URL
	backend *s3mem.Backend

	mu     sync.Mutex
	refuse int // status
	puts   []string
}

func newStorage(t *testing.T) *storage {
	t.Helper()
	s := &storage{backend: s3mem.New()}
	if err := s.backend.CreateBucket("flags"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(s.backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		refuse := s.refuse
		s.puts = append(s.puts, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
		s.mu.Unlock()
		signed := strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=the-access-key/")
		switch {
		case refuse != 0:
			w.WriteHeader(refuse)
		case !signed:
			w.WriteHeader(http.StatusForbidden)
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	var err error
	if s.address, err = url.Parse(server.URL); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *storage) refuses(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = status
}

func (s *storage) sink() Sink {
	return Sink{
		Name: "bucket", Kind: KindParquet, Series: []rows.Series{rows.Counts, rows.Exposures, rows.Outcomes}, Every: 200 * time.Millisecond,
		Bucket:       &Bucket{Endpoint: s.address, Region: "eu-central-1", Name: "flags", Prefix: "usage/of", AccessKey: "the-access-key", SecretKey: "topsecret"},
		AllowPrivate: egress.PrivateRanges(), Timeout: 10 * time.Second,
	}
}

// download copies the bucket to a directory.
func (s *storage) download(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list, err := s.backend.ListBucket("flags", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list.Contents {
		object, err := s.backend.GetObject("flags", one.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(one.Key, "usage/of/")))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.ReadFrom(object.Contents); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A bucket gets each report once, with one request a file, and reports wait while it takes none.
func TestBucket(t *testing.T) {
	t.Parallel()
	s, b := natstest.Start(t), newStorage(t)
	makeStreams(t, s.URL())
	b.refuses(http.StatusServiceUnavailable)
	e := export(t, s.URL(), b.sink())
	conn, boot := sidecarConn(t, s.URL()), status.NewBoot()
	send(t, conn, report(boot, 1))
	waiting.Until(t, "it is told that the bucket takes nothing", func() bool {
		lines := e.Late(time.Now())
		return len(lines) == 1 && strings.Contains(lines[0], "the server answered 503") && !strings.Contains(lines[0], "topsecret")
	}, e.log)
	b.refuses(0)
	e.taken(t, 1)
	send(t, conn, report(boot, 2))
	send(t, conn, report(boot, 3))
	e.taken(t, 3)
	wantOnce(t, b.download(t), []string{boot + "/1", boot + "/2", boot + "/3"})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, put := range b.puts {
		if !strings.HasPrefix(put, "PUT /flags/usage/of/series=") {
			t.Errorf("%s: it was asked for more than to store a file", put)
		}
	}
	if strings.Contains(e.log.String(), "topsecret") {
		t.Error("the log shows a secret")
	}
}

// What a name resolves to is judged when it is dialled, for buckets and receivers alike.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	t.Parallel()
	b := newStorage(t)
	local := *b.address
	local.Host = "localhost:" + local.Port()
	bucket := b.sink()
	bucket.AllowPrivate, bucket.Bucket.Endpoint = nil, &local
	receiver := Sink{Name: "logs", Kind: KindOTLP, Series: rows.All(), URL: &local, Timeout: 10 * time.Second}
	for _, k := range []Sink{bucket, receiver} {
		d, err := newDestination(k)
		if err != nil {
			t.Fatal(err)
		}
		p := &parcel{tables: rows.New()}
		r := report(status.NewBoot(), 1)
		p.tables.Add(&r, time.Now(), rows.All())
		once := func(ctx context.Context, request func(context.Context) error) error { return request(ctx) }
		if err := d.write(t.Context(), "prod", p, once, nil); err == nil || !strings.Contains(err.Error(), "is refused, because it is loopback") {
			t.Errorf("%s: %v", k.Name, err)
		}
		d.close()
	}
	if len(b.puts) > 0 {
		t.Errorf("it was reached: %v", b.puts)
	}
}
