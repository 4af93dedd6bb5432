package changelog

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// signDocument signs any bytes as a publisher of installation A.
func signDocument(kind signedKind, environment string, data []byte) Signature {
	return keysA().signing[0].sign(string(documentText(kind, installationA, environment, Sum(data))))
}

func TestHeartbeatIgnoresUnknownMembers(t *testing.T) {
	data, _, err := EncodeHeartbeat(keysA().signing[0].signer(t), prod, goldenHeartbeat())
	if err != nil {
		t.Fatal(err)
	}
	grown := []byte(strings.Replace(string(data), `"begin"`, `"later":{"member":[1]},"begin"`, 1))
	got, err := DecodeHeartbeat(keysA().keyring(t), prod, grown, signDocument(signedHeartbeat, prod, grown))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenHeartbeat(), got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// The share of sidecars that acknowledge comes back, whichever way the heartbeat is read.
func TestHeartbeatNamesAShare(t *testing.T) {
	for _, archived := range []time.Time{{}, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} { // which only the general reader knows
		h := goldenHeartbeat()
		h.Acks, h.Archived = 4711, archived
		data, signature, err := EncodeHeartbeat(keysA().signing[0].signer(t), prod, h)
		if err != nil {
			t.Fatal(err)
		}
		if _, canonical := readHeartbeat(data); canonical != archived.IsZero() {
			t.Errorf("read in the quick way: %v", canonical)
		}
		got, err := DecodeHeartbeat(keysA().keyring(t), prod, data, signature)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Errorf("decoded (-want +got):\n%s", diff)
		}
	}
}

// What is signed and makes no sense is refused when it is decoded, and not made
// in the first place.
func TestHeartbeatRefuses(t *testing.T) {
	ring, signer := keysA().keyring(t), keysA().signing[0].signer(t)
	f := func(name, old, replacement string, change func(*Heartbeat)) {
		t.Helper()
		h := goldenHeartbeat()
		data, _, err := EncodeHeartbeat(signer, prod, h)
		if err != nil {
			t.Fatal(err)
		}
		altered := []byte(strings.Replace(string(data), old, replacement, 1))
		if string(altered) == string(data) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := DecodeHeartbeat(ring, prod, altered, signDocument(signedHeartbeat, prod, altered)); err == nil || errors.Is(err, ErrUnsigned) {
			t.Errorf("%s: decoded with %v", name, err)
		}
		if change == nil {
			return
		}
		change(&h)
		if data, _, err := EncodeHeartbeat(signer, prod, h); err == nil {
			t.Errorf("%s: encoded %s", name, data)
		}
	}
	f("no JSON", `{`, `[`, nil)
	f("another version", `"v":2`, `"v":3`, nil)
	f("revision 0", `"revision":7`, `"revision":0`, func(h *Heartbeat) { h.Position.Revision = 0 })
	f("no digest", Sum([]byte("body")).String(), Digest{}.String(), func(h *Heartbeat) { h.Position.Digest = Digest{} })
	f("no epoch", string(epochA), "", func(h *Heartbeat) { h.Position.Epoch = "" })
	f("an end before the position", `"end":9`, `"end":6`, func(h *Heartbeat) { h.End = 6 })
	f("no begin", `"begin":3`, `"begin":0`, func(h *Heartbeat) { h.Begin = 0 })
	f("a begin behind the position", `"begin":3`, `"begin":8`, func(h *Heartbeat) { h.Begin = 8 })
	f("no sender", `"by":"process-1"`, `"by":""`, func(h *Heartbeat) { h.By = "" })
	f("a long sender", "process-1", strings.Repeat("p", 65), func(h *Heartbeat) { h.By = strings.Repeat("p", 65) })
	f("a member twice", `"n":12`, `"n":12,"n":13`, nil)
}

// A heartbeat moves something only if a key that counts signed it for this
// environment of this installation.
func TestHeartbeatUnsigned(t *testing.T) {
	a := keysA()
	data, signature, err := EncodeHeartbeat(a.signing[0].signer(t), prod, goldenHeartbeat())
	if err != nil {
		t.Fatal(err)
	}
	rotated := a.keyring(t)
	adopt(t, rotated, a.note(t, 2, 1))
	later := goldenHeartbeat()
	later.Time = later.Time.Add(time.Second)
	other, _, err := EncodeHeartbeat(a.signing[0].signer(t), prod, later)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, ring *Keyring, environment string, data []byte, s Signature) {
		t.Helper()
		if h, err := DecodeHeartbeat(ring, environment, data, s); !errors.Is(err, ErrUnsigned) || h != (Heartbeat{}) {
			t.Errorf("%s: %+v, %v, want ErrUnsigned", name, h, err)
		}
	}
	f("no signature", a.keyring(t), prod, data, "")
	f("another environment", a.keyring(t), "staging", data, signature)
	f("the bytes of another one", a.keyring(t), prod, other, signature)
	f("trailing space", a.keyring(t), prod, append(slices.Clip(data), ' '), signature)
	f("no keys note yet", a.cold(t), prod, data, signature)
	f("a retired key", rotated, prod, data, signature)
	f("another installation", keysB().keyring(t), prod, data, signature)
	f("an unknown key", a.keyring(t), prod, data, a.unknown.sign(string(documentText(signedHeartbeat, installationA, prod, Sum(data)))))
}

// Whatever the bytes are, nothing is decoded but what was signed.
func FuzzDecodeHeartbeat(f *testing.F) {
	data, signature, err := EncodeHeartbeat(keysA().signing[0].signer(f), prod, goldenHeartbeat())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, string(signature))
	f.Add([]byte("{}"), "")
	ring := keysA().keyring(f)
	if _, ok := readHeartbeat(data); !ok {
		f.Errorf("%s is not read in one pass", data)
	}
	f.Fuzz(func(t *testing.T, input []byte, s string) {
		if h, ok := readHeartbeat(input); ok {
			var plain Heartbeat
			if err := json.Unmarshal(input, &plain); err != nil || !cmp.Equal(plain, h) {
				t.Fatalf("%s gives %+v, plainly %+v, %v", input, h, plain, err)
			}
		}
		if h, err := DecodeHeartbeat(ring, prod, input, Signature(s)); err == nil && string(input) != string(data) {
			t.Errorf("%q with %q gives %+v", input, s, h)
		}
		h, err := DecodeHeartbeat(ring, prod, input, signDocument(signedHeartbeat, prod, input))
		if err != nil {
			return
		}
		again, _, err := EncodeHeartbeat(keysA().signing[0].signer(t), prod, h)
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", h, err)
		}
		if second, err := DecodeHeartbeat(ring, prod, again, signDocument(signedHeartbeat, prod, again)); err != nil || !cmp.Equal(h, second) {
			t.Errorf("%+v, then %+v, %v", h, second, err)
		}
	})
}
