package exposurekey_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/exposurekey"
)

// The hash was made with another implementation: Python's hmac.new(bytes(range(32)), b"\0\0\0\x04prod\0\0\0\x06user-1", "sha256").
func TestSubjectIsHMAC(t *testing.T) {
	t.Parallel()
	var key exposurekey.Key
	for i := range exposurekey.Min {
		key = append(key, byte(i))
	}
	sum := key.Hasher("prod").Subject("user-1")
	if got, want := hex.EncodeToString(sum[:]), "3abdac3f3f5d0cc963a47640a965748bd04d8807c652bc661c20ee82cdb0c5f1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Subjects differ by environment, key and targeting key, and no two pairs of texts are one because of where the first ends.
func TestSubjectsDiffer(t *testing.T) {
	t.Parallel()
	a, b := exposurekey.New(), exposurekey.New()
	seen := map[[32]byte]bool{}
	for _, sum := range [][32]byte{
		a.Hasher("prod").Subject("user"), b.Hasher("prod").Subject("user"), a.Hasher("staging").Subject("user"), a.Hasher("prod").Subject("user2"),
		a.Hasher("produ").Subject("ser"), a.Hasher("prod").Subject(""), a.Hasher("prod").Subject(strings.Repeat("u", 100_000)),
	} {
		if seen[sum] {
			t.Errorf("%x twice", sum)
		}
		seen[sum] = true
	}
	h := a.Hasher("prod")
	want := h.Subject("user")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if h.Subject("user") != want {
					t.Error("the same subject has another hash")
					return
				}
			}
		})
	}
	all.Wait()
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	key := exposurekey.New()
	for _, text := range []string{string(key.Text()), "  " + strings.TrimSpace(string(key.Text())) + "\r\n\n"} {
		if again, err := exposurekey.Parse([]byte(text)); err != nil || !bytes.Equal(again, key) {
			t.Errorf("%v %v", again, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "short": "c2hvcnQtc2VjcmV0", "two lines": "c2hvcnQtc2VjcmV0c2hvcnQtc2VjcmV0\nc2hvcnQtc2VjcmV0 c2hvcnQtc2VjcmV0", "raw": "\x00\x01\xff",
		"URL alphabet": strings.Repeat("-_-_", 16), "large": strings.Repeat("QUFB", 400),
	} {
		_, err := exposurekey.Parse([]byte(text))
		if err == nil {
			t.Errorf("%s: taken for a key", name)
		} else if text != "" && strings.Contains(err.Error(), text[:3]) {
			t.Errorf("%s: %v quotes the file", name, err)
		}
	}
}
