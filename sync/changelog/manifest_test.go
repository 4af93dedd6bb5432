package changelog

import (
	"errors"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

func TestManifest(t *testing.T) {
	t.Parallel()
	p := PublishedSnapshot{
		Epoch: NewEpoch(time.Now(), ""), Revision: 7, Digest: Sum([]byte("a")), State: Sum([]byte("s")), Count: 3,
		Bytes: ChunkBytes + 1, Chunks: 2, Hash: Sum([]byte("b")), LogBytes: 9,
	}
	want := Manifest{}.With(p).With(p)
	signer, ring := keysA().signing[0].signer(t), keysA().keyring(t)
	data, signature, err := EncodeManifest(signer, prod, want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeManifest(ring, "staging", data, signature); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a manifest of another environment: %v, want ErrUnsigned", err)
	}
	got, err := DecodeManifest(ring, prod, data, signature)
	if err != nil {
		t.Fatal(err)
	}
	want.Version = manifestVersion
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if n := len(want.With(p).Snapshots); n != keptSnapshots {
		t.Errorf("%d snapshots are kept, want %d", n, keptSnapshots)
	}
	f := func(what string, change func(*PublishedSnapshot)) {
		t.Helper()
		bad := p
		change(&bad)
		if _, _, err := EncodeManifest(signer, prod, Manifest{}.With(bad)); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	f("no epoch", func(p *PublishedSnapshot) { p.Epoch = "" })
	f("no revision", func(p *PublishedSnapshot) { p.Revision = 0 })
	f("no hash", func(p *PublishedSnapshot) { p.Hash = Digest{} })
	f("a negative number of documents", func(p *PublishedSnapshot) { p.Count = -1 })
	f("no bytes", func(p *PublishedSnapshot) { p.Bytes, p.Chunks = 0, 0 })
	f("too many bytes", func(p *PublishedSnapshot) { p.Bytes, p.Chunks = maxSnapshot+1, maxSnapshot/ChunkBytes+1 })
	f("too few chunks", func(p *PublishedSnapshot) { p.Chunks = 1 })
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
	signer, ring := keysA().signing[0].signer(f), keysA().keyring(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Manifest
		if json.Unmarshal(data, &m) != nil {
			return
		}
		encoded, signature, err := encodeSigned(signer, signedManifest, prod, m)
		if err != nil {
			return
		}
		m, err = DecodeManifest(ring, prod, encoded, signature)
		if err != nil {
			return
		}
		again, signature, err := EncodeManifest(signer, prod, m)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if got, err := DecodeManifest(ring, prod, again, signature); err != nil || cmp.Diff(m, got) != "" {
			t.Errorf("decoded again: %v, %v", got, err)
		}
	})
}
