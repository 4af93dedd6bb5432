package references_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/references"
)

// folder writes files and returns where they are.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func scan(t *testing.T, dir string, o references.Options) references.Report {
	t.Helper()
	r, err := references.Scan(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// places returns where a report finds a flag.
func places(r references.Report, key string) (all []string) {
	for _, p := range r.Flags[key] {
		all = append(all, p.String())
	}
	return all
}

func TestKeysStandForThemselves(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"shop/cart.go": "package shop\n\n\tif on(\"checkout\") || on(`new-checkout`) {\n\t// checkout, again: flags.checkout\n",
		"shop/text.md": "checkouts and precheckout and checkout_2 and new-checkout-2 do not name it; über.straße does\n",
		"odd.txt":      "say a/b.c and x-a/b.c and ?? and a/b.cd\n",
	})
	r := scan(t, dir, references.Options{Keys: []string{"checkout", "new-checkout", "never", "straße", "a/b.c", "??"}})
	for key, want := range map[string][]string{
		"checkout":     {"shop/cart.go:3:9", "shop/cart.go:4:5", "shop/cart.go:4:28"},
		"new-checkout": {"shop/cart.go:3:27"},
		"never":        nil,
		"straße":       {"shop/text.md:1:83"},
		"a/b.c":        {"odd.txt:1:5"},
		"??":           {"odd.txt:1:27"},
	} {
		if diff := cmp.Diff(want, places(r, key)); diff != "" {
			t.Errorf("%s\n%s", key, diff)
		}
	}
	if r.Files != 3 || r.Unknown != nil || r.Flags["checkout"].Files() != 1 {
		t.Errorf("%d files, unknown %v, in %d files", r.Files, r.Unknown, r.Flags["checkout"].Files())
	}
	if found, looked := r.Of("never"); len(found) != 0 || !looked {
		t.Errorf("a flag that nothing names: %v, looked for: %t", found, looked)
	}
	if _, looked := r.Of("other"); looked {
		t.Error("a flag that was not looked for counts as looked for")
	}
}

// With patterns only what they capture counts, and keys that do not exist are named.
func TestPatterns(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.ts": "isOn('banner'); isOn('baner'); // banner\nflag(\"banner\")\n"})
	r := scan(t, dir, references.Options{Keys: []string{"banner"}, Patterns: []string{`isOn\('([^']+)'\)`, `(?:flag|isOn)\(["']([^"']+)["']\)`}})
	if diff := cmp.Diff([]string{"a.ts:1:7", "a.ts:2:7"}, places(r, "banner")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]references.Places{"baner": {{File: "a.ts", Line: 1, Column: 23}}}, r.Unknown); diff != "" {
		t.Error(diff)
	}
	for pattern, want := range map[string]string{"(": "missing closing", "isOn": "0 groups", "(a)(b)": "2 groups"} {
		_, err := references.Scan(t.Context(), dir, references.Options{Patterns: []string{pattern}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("pattern %q", pattern)) {
			t.Errorf("pattern %s: %v", pattern, err)
		}
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a.go": "banner", "vendor/x/a.go": "banner", "web/node_modules/x.js": "banner", "web/dist/x.js": "banner", "doc/notes.md": "banner",
		"gen/a.pb.go": "banner", "gen/deep/b.go": "banner", "binary": "banner\x00", "vendored.go": "banner", "build": "banner", "utf16.cs": "\xff\xfeb\x00a\x00", "docs/big": strings.Repeat("banner ", 1<<20),
	})
	if err := os.Symlink(filepath.Join(dir, "a.go"), filepath.Join(dir, "link.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ exclude, want []string }{
		"by default": {nil, []string{"a.go:1:1", "build:1:1", "doc/notes.md:1:1", "gen/a.pb.go:1:1", "gen/deep/b.go:1:1", "vendored.go:1:1", "web/dist/x.js:1:1"}},
		"more":       {[]string{"*.md", "*.pb.go", "gen/deep/", "buil?", "dist"}, []string{"a.go:1:1", "vendored.go:1:1"}},
	} {
		r := scan(t, dir, references.Options{Keys: []string{"banner"}, Exclude: c.exclude})
		if diff := cmp.Diff(c.want, places(r, "banner")); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
		if diff := cmp.Diff([]references.Left{
			{File: "docs/big", Reason: "it has more than 4 MiB"}, {File: "utf16.cs", Reason: "it is text in UTF-16, which is not read"},
		}, r.Left); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
	if _, err := references.Scan(t.Context(), dir, references.Options{Exclude: []string{"["}}); err == nil || !strings.Contains(err.Error(), `exclude pattern "["`) {
		t.Errorf("a wrong pattern: %v", err)
	}
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(dir, linked); err != nil {
		t.Fatal(err)
	}
	if r := scan(t, linked, references.Options{Keys: []string{"banner"}}); len(r.Flags["banner"]) != 7 {
		t.Errorf("through a link: %v", r.Flags)
	}
	for _, wrong := range []string{filepath.Join(dir, "a.go"), filepath.Join(dir, "nothing"), t.TempDir()} {
		if _, err := references.Scan(t.Context(), wrong, references.Options{}); err == nil {
			t.Errorf("%s is searched", wrong)
		}
	}
}

// In a checkout, what git ignores is left out, and the report names the commit.
func TestGitCheckout(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := folder(t, map[string]string{".gitignore": "made/\n", "made/x.go": "banner", "a.go": "banner", "gone.go": "banner"})
	git := func(arguments ...string) string {
		t.Helper()
		command := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@t.example"}, arguments...)...)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", arguments, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "flags")
	if _, err := references.Scan(t.Context(), filepath.Join(dir, "made"), references.Options{Keys: []string{"banner"}}); err == nil {
		t.Error("a folder that git ignores counts as searched")
	}
	planted := filepath.Join(t.TempDir(), "planted")
	watcher := folder(t, map[string]string{"watch": "#!/bin/sh\ntouch " + planted + "\n"})
	if err := os.Chmod(filepath.Join(watcher, "watch"), 0o700); err != nil {
		t.Fatal(err)
	}
	git("config", "core.fsmonitor", filepath.Join(watcher, "watch"))
	scan(t, dir, references.Options{Keys: []string{"banner"}})
	if _, err := os.Stat(planted); err == nil {
		t.Error("a program that the checkout names was run")
	}
	git("config", "--unset", "core.fsmonitor")
	other := folder(t, map[string]string{"sub.go": "banner"})
	for _, arguments := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-qm", "sub"}} {
		git(append([]string{"-C", other}, arguments...)...)
	}
	git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other, "module")
	if err := os.Rename(filepath.Join(dir, "gone.go"), filepath.Join(dir, "new.go")); err != nil {
		t.Fatal(err)
	}
	r := scan(t, dir, references.Options{Keys: []string{"banner"}})
	if diff := cmp.Diff([]string{"a.go:1:1", "module/sub.go:1:1", "new.go:1:1"}, places(r, "banner")); diff != "" {
		t.Error(diff)
	}
	if r.Commit != git("rev-parse", "HEAD") || len(r.Left) != 0 {
		t.Errorf("commit %q, left out %v", r.Commit, r.Left)
	}
}

// What is found is what a regular expression for each key finds.
func TestWordsAreThoseOfAModel(t *testing.T) {
	t.Parallel()
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	text := func(most int) string {
		var b strings.Builder
		for range 1 + random.IntN(most) {
			b.WriteString([]string{"a", "b", "-", "_", ".", "/", " ", "é", "(", "ab", "a-b"}[random.IntN(11)])
		}
		return b.String()
	}
	const outside = `(?:[^\pL\p{Nd}_-]|^|$)`
	for range 300 {
		keys := []string{text(4), text(4), text(4)}
		keys = slices.DeleteFunc(keys, func(k string) bool { // the model has no say on keys that begin or end with what is in no word
			return !regexp.MustCompile(`^[\pL\p{Nd}_-](?:.*[\pL\p{Nd}_-])?$`).MatchString(k)
		})
		line := text(30)
		r := scan(t, folder(t, map[string]string{"f": line}), references.Options{Keys: keys})
		for _, key := range keys {
			want := regexp.MustCompile(outside + regexp.QuoteMeta(key) + outside).MatchString(line)
			if got := len(r.Flags[key]) > 0; got != want {
				t.Fatalf("%q in %q: %t, want %t (seed %d)", key, line, got, want, seed)
			}
		}
	}
}

func TestReportRoundTrip(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.go": "banner\nbanner"})
	r := scan(t, dir, references.Options{Keys: []string{"banner", "never"}})
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "refs.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := references.ReadReport(file)
	if diff := cmp.Diff(r, read); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for name, text := range map[string]string{"no JSON": "x", "another version": `{"version":2,"flags":{}}`, "something else": `{"version":1}`, "empty": ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := references.ReadReport(file); err == nil || !strings.Contains(err.Error(), "flagside refs scan") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"version":1,"time":"2026-01-01T00:00:00Z","files":1,"flags":{"a":[{"file":"f","line":1,"column":1}]}}`))
	file := filepath.Join(f.TempDir(), "report")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := references.ReadReport(file)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			return // times that JSON cannot hold
		}
		if err := os.WriteFile(file, again, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := references.ReadReport(file); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
