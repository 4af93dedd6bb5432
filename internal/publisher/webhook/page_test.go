package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// block returns the code of a language from docs/webhooks.md that has a text in it.
func block(t *testing.T, language, has string) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(page), "```"+language+"\n") {
		if code, _, _ := strings.Cut(part, "```"); strings.Contains(code, has) {
			return code
		}
	}
	t.Fatalf("docs/webhooks.md has no %s with %s", language, has)
	return ""
}

// The code of the page takes what we sign, and nothing that was changed, is old, or was signed with another secret.
func TestTheCodeOfThePageVerifies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ program, file, language, call string }{
		{"python3", "verify.py", "python", "\nimport json, sys\nfor case in json.load(open(sys.argv[1])):\n    print(verify(case['secret'], case['headers'], case['body'].encode()))\n"},
		{"node", "verify.mjs", "js", "\nimport { readFileSync } from \"node:fs\";\nfor (const c of JSON.parse(readFileSync(process.argv[2]))) console.log(verify(c.secret, c.headers, c.body));\n"},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skipf("%s is not installed", c.program)
			}
			dir := t.TempDir()
			cases, want := signedCases(t)
			program, input := filepath.Join(dir, c.file), filepath.Join(dir, "cases.json")
			for file, content := range map[string]string{program: block(t, c.language, "verify(") + c.call, input: cases} {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, c.program, program, input).CombinedOutput()
			if got := strings.ToLower(strings.Join(strings.Fields(string(out)), " ")); err != nil || got != want {
				t.Errorf("%s, %v; want %s", out, err, want)
			}
		})
	}
}

// signedCases returns requests as JSON, and whether each is to be taken.
func signedCases(t *testing.T) (cases, want string) {
	t.Helper()
	type request struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	const other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	var all []request
	var taken []string
	add := func(age time.Duration, right bool, change func(*request)) {
		body := `{"text":"Grüße"}`
		var secrets []Secret
		for _, text := range []string{other, secretText} { // the second one counts too
			s, err := ParseSecret(text)
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, s)
		}
		header := make(http.Header)
		sign(header, "LEDGER_prod-17", time.Now().Add(-age), []byte(body), secrets)
		r := request{Secret: secretText, Body: body, Headers: make(map[string]string)}
		for name := range header {
			r.Headers[strings.ToLower(name)] = header.Get(name)
		}
		change(&r)
		all, taken = append(all, r), append(taken, fmt.Sprint(right))
	}
	add(0, true, func(*request) {})
	add(0, false, func(r *request) { r.Body += " " })
	add(0, false, func(r *request) { r.Headers["webhook-id"] = "x" })
	add(0, false, func(r *request) { r.Secret = "whsec_" + strings.Repeat("QUJD", 8) })
	add(time.Hour, false, func(*request) {})
	add(-time.Hour, false, func(*request) {})
	for _, header := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		add(0, false, func(r *request) { delete(r.Headers, header) })
	}
	for _, text := range []string{"", "x", "²", "v1,", "v1a,? v1"} {
		add(0, false, func(r *request) { r.Headers["webhook-signature"] = text })
		add(0, false, func(r *request) { r.Headers["webhook-timestamp"] = text })
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), strings.Join(taken, " ")
}
