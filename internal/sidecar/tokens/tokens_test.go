package tokens

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
)

// tokenFile writes a file of tokens and returns its path.
func tokenFile(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "tokens")
	writeTokens(tb, path, content)
	return path
}

func writeTokens(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestTokensOfAFile(t *testing.T) {
	known, err := Open(tokenFile(t, "# the shop\r\nfirst-token\r\n\r\n  second-token  \n#third-token\nlast-token"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]bool{
		"Authorization: Bearer first-token": true, "Authorization: bearer  second-token ": true, "X-API-Key: last-token": true,
		"Authorization: Bearer third-token": false, "Authorization: Bearer #third-token": false, "Authorization: Bearer ": false,
		"Authorization: Bearer": false, "Authorization: first-token": false, "Authorization: Basic first-token": false,
		"Authorization: Bearer first-toke": false, "Authorization: Bearer first-token2": false, "X-API-Key: ": false,
		"X-API-Key: Bearer first-token": false, "Cookie: first-token": false,
	} {
		fields := make(map[string][]byte)
		name, value, _ := strings.Cut(field, ": ")
		fields[name] = []byte(value)
		if known.Admit(fields["Authorization"], fields[APIKeyHeader]) != want {
			t.Errorf("%q: admitted %v", field, !want)
		}
	}
	if !known.Admit([]byte("Bearer of-somebody-else"), []byte("first-token")) {
		t.Error("the key beside another authorization is not admitted")
	}
}

func TestFilesWithoutUsableTokens(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "comments only": "# nothing\n\n", "two words": "good-token\ntwo words\n", "binary": "a\x00b\n", "not ASCII": "tökén\n",
		"too large": strings.Repeat("0123456789abcde\n", 5000),
	} {
		_, err := Open(tokenFile(t, content), zerolog.Nop())
		if err == nil {
			t.Errorf("%s: taken for a file of tokens", name)
			continue
		}
		if strings.Contains(err.Error(), "words") || strings.Contains(err.Error(), "0123456789abcde") {
			t.Errorf("%s: %q quotes the file", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), zerolog.Nop()); err == nil {
		t.Error("a file that does not exist is good enough")
	}
}

func TestTokensFollowTheFile(t *testing.T) {
	path := tokenFile(t, "old-token\n")
	synctest.Test(t, func(t *testing.T) {
		var logs logtest.Log
		known, err := Open(path, zerolog.New(&logs))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = known.Run(ctx) }()
		defer synctest.Wait()
		defer cancel()
		want := func(when, admitted, refused, logged string) {
			t.Helper()
			time.Sleep(3 * interval)
			synctest.Wait()
			if !known.has([]byte(admitted)) || known.has([]byte(refused)) {
				t.Errorf("%s: want %s and not %s", when, admitted, refused)
			}
			text := logs.Take()
			if count := strings.Count(text, "\n"); !strings.Contains(text, logged) || (count != 0) != (logged != "") || count > 1 {
				t.Errorf("%s: logged %q, want one line with %q", when, text, logged)
			}
			if strings.Contains(text, "old-token") || strings.Contains(text, "new-token") {
				t.Errorf("%s: a token was logged: %s", when, text)
			}
		}
		want("at first", "old-token", "new-token", "")
		writeTokens(t, path, "new-token\n")
		want("replaced", "new-token", "old-token", "read the file of tokens")
		writeTokens(t, path, "")
		want("emptied", "new-token", "old-token", "cannot be used")
		writeTokens(t, path, "old-token\nnot a token\n")
		want("broken", "new-token", "old-token", "line 2")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		want("removed", "new-token", "old-token", "no such file")
		writeTokens(t, path, "new-token\n")
		want("back", "new-token", "old-token", "read the file of tokens")
		writeTokens(t, path, "old-token\n")
		want("replaced again", "old-token", "new-token", "read the file of tokens")
	})
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte("a\n# b\nc"))
	f.Add([]byte("\xff \n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		known, err := parseTokens(content)
		if (err == nil) != (len(known) > 0) {
			t.Errorf("%d tokens and %v", len(known), err)
		}
		if len(known) > bytes.Count(content, []byte("\n"))+1 {
			t.Errorf("%d tokens in %q", len(known), content)
		}
	})
}
