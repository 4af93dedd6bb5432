package flagsync

import (
	"errors"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

func TestManifest(t *testing.T) {
	t.Parallel()
	p := publishedSnapshot{
		Epoch: changelog.NewEpoch(time.Now(), ""), Revision: 7, Digest: changelog.Sum([]byte("a")), State: changelog.Sum([]byte("s")), Count: 3,
		Bytes: chunkBytes + 1, Chunks: 2, Hash: changelog.Sum([]byte("b")), LogBytes: 9,
	}
	want := manifest{}.with(p).with(p)
	keys := trusttest.Default()
	data, signature, err := want.encode(keys.Signer(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeManifest(keys.PublisherKeyring(), "staging", data, signature); !errors.Is(err, changelog.ErrUnsigned) {
		t.Errorf("a manifest of another environment: %v, want ErrUnsigned", err)
	}
	got, err := decodeManifest(keys.PublisherKeyring(), "prod", data, signature)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if n := len(want.with(p).Snapshots); n != keptSnapshots {
		t.Errorf("%d snapshots are kept, want %d", n, keptSnapshots)
	}
	f := func(what string, change func(*publishedSnapshot)) {
		t.Helper()
		bad := p
		change(&bad)
		if _, _, err := (manifest{}.with(bad)).encode(keys.Signer(), "prod"); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	f("no epoch", func(p *publishedSnapshot) { p.Epoch = "" })
	f("no revision", func(p *publishedSnapshot) { p.Revision = 0 })
	f("no hash", func(p *publishedSnapshot) { p.Hash = changelog.Digest{} })
	f("a negative number of documents", func(p *publishedSnapshot) { p.Count = -1 })
	f("no bytes", func(p *publishedSnapshot) { p.Bytes, p.Chunks = 0, 0 })
	f("too many bytes", func(p *publishedSnapshot) { p.Bytes, p.Chunks = maxSnapshot+1, maxSnapshot/chunkBytes+1 })
	f("too few chunks", func(p *publishedSnapshot) { p.Chunks = 1 })
}

// FuzzDecodeManifest signs anything: what a publisher may have signed and is no
// manifest is refused, and what is one encodes to the same.
func FuzzDecodeManifest(f *testing.F) {
	f.Add([]byte(`{"v":2,"snapshots":[]}`))
	f.Add([]byte(`{"v":2,"snapshots":[{"epoch":"00112233445566778899aabbccddeeff","revision":2,` +
		`"digest":"aa112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","count":1,"bytes":300,"chunks":1,` +
		`"state":"cc112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",` +
		`"hash":"bb112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","logBytes":900}]}`))
	f.Add([]byte(`{"v":1}`))
	keys := trusttest.Default()
	signer, ring := keys.Signer(), keys.PublisherKeyring()
	f.Fuzz(func(t *testing.T, data []byte) {
		var m manifest
		if json.Unmarshal(data, &m) != nil {
			return
		}
		encoded, signature, err := changelog.EncodeManifest(signer, "prod", m)
		if err != nil {
			return
		}
		m, err = decodeManifest(ring, "prod", encoded, signature)
		if err != nil {
			return
		}
		again, signature, err := m.encode(signer, "prod")
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if got, err := decodeManifest(ring, "prod", again, signature); err != nil || cmp.Diff(m, got) != "" {
			t.Errorf("decoded again: %v, %v", got, err)
		}
	})
}
