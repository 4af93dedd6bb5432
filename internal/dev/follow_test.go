package dev_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/dev"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// However an editor saves, the answer changes, and what left the file is gone.
func TestSaves(t *testing.T) {
	t.Parallel()
	file := newFile(t, one("first"))
	r := start(t, dev.Options{File: file})
	r.await("ready", r.ready)
	if got := r.answer("greeting"); got != "first" {
		t.Errorf("a ready sidecar answers %s", got)
	}

	write(t, file, one("in place"))
	r.awaitAnswer("greeting", "in place")

	write(t, file+".new", one("renamed"))
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswer("greeting", "renamed")

	// As vim does: the old file is kept under another name.
	if err := os.Rename(file, file+"~"); err != nil {
		t.Fatal(err)
	}
	write(t, file, one("created anew"))
	r.awaitAnswer("greeting", "created anew")

	// As a copy that keeps times, over a file of the same size.
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, one("copied again"))
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswer("greeting", "copied again")

	write(t, file, flags(map[string]string{"farewell": "bye"}))
	r.awaitAnswer("farewell", "bye")
	if got := r.answer("greeting"); got != "FLAG_NOT_FOUND" {
		t.Errorf("a flag that left the file answers %s", got)
	}
}

// Kubernetes mounts a ConfigMap as links to a directory, and swaps the link to the directory.
func TestSwapOfLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	version := func(name, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "flags.json"), content)
		if err := os.Symlink(name, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", one("first"))
	file := filepath.Join(dir, "flags.json")
	if err := os.Symlink(filepath.Join("..data", "flags.json"), file); err != nil {
		t.Fatal(err)
	}
	r := start(t, dev.Options{File: file})
	r.awaitAnswer("greeting", "first")
	version("..2", one("second"))
	r.awaitAnswer("greeting", "second")
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	version("..3", one("third"))
	r.awaitAnswer("greeting", "third")
	// In place behind the links.
	write(t, filepath.Join(dir, "..3", "flags.json"), one("fourth"))
	r.awaitAnswer("greeting", "fourth")
}

// A directory is served as one file, whatever happens in it.
func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dev.Options{File: dir})
	write(t, filepath.Join(dir, "a.json"), one("first"))
	r.awaitAnswer("greeting", "first")
	write(t, filepath.Join(dir, "b.json"), flags(map[string]string{"farewell": "bye"}))
	r.awaitAnswer("farewell", "bye")

	// A mistake in one file keeps all as they were.
	write(t, filepath.Join(dir, "b.json"), one("twice"))
	r.await("the mistake", func() bool { return strings.Contains(r.conditions(), "another file has this, too") })
	if got := r.answer("farewell"); got != "bye" {
		t.Errorf("with a mistake in a file the flag answers %s", got)
	}
	write(t, filepath.Join(dir, "b.json"), flags(map[string]string{"farewell": "so long"}))
	r.awaitAnswer("farewell", "so long")

	team := filepath.Join(dir, "team")
	if err := os.Mkdir(team, 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(team, "c.yaml"), "flags:\n  third: {state: ENABLED, variants: {v: here}, defaultVariant: v}\n")
	r.awaitAnswer("third", "here")
	if err := os.Rename(filepath.Join(team, "c.yaml"), filepath.Join(team, "c.txt")); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswer("third", "FLAG_NOT_FOUND")
	if got := r.answer("greeting"); got != "first" {
		t.Errorf("a flag of a file that did not change answers %s", got)
	}
}

// Where no notice comes, as of a directory that took the place of the watched one, the file is looked at.
func TestDirectoryIsReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mounted")
	file := filepath.Join(dir, "flags.json")
	mount := func(value string) {
		t.Helper()
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, file, one(value))
	}
	mount("first")
	r := start(t, dev.Options{File: file})
	r.awaitAnswer("greeting", "first")
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	mount("second")
	r.awaitAnswer("greeting", "second")
}

// A save is one change, however many steps it was written in, and a save of the same changes nothing.
func TestOneSaveIsOneChange(t *testing.T) {
	t.Parallel()
	file := newFile(t, flags(map[string]string{"a": "1", "b": "1", "c": "1"}))
	r := start(t, dev.Options{File: file})
	r.awaitAnswer("a", "1")
	before := r.revision()
	write(t, file, flags(map[string]string{"a": "1", "b": "1", "c": "1"}))
	write(t, file, flags(map[string]string{"a": "2", "b": "2"}))
	r.awaitAnswer("a", "2")
	epoch, _, _ := strings.Cut(before, "-")
	want := epoch + "-8" // epoch, keys, a, b, c; then a, b and the deletion of c
	r.await("revision "+want, func() bool { return r.revision() == want })
	ops := map[string]bool{}
	for _, key := range []string{"a", "b", "c"} {
		_, body := r.ask(http.MethodGet, fmt.Sprintf("http://%s/api/v1/environments/dev/flags/%s/history?limit=1", r.AdminAddr(), key), "")
		ops[regexp.MustCompile(`"opId":"[^"]+"`).FindString(body)] = true
	}
	if len(ops) != 1 {
		t.Errorf("the save is %d changes: %v", len(ops), ops)
	}
}

// A broken edit is refused with its place, and the last good set stays; so it does when the file disappears.
func TestBrokenEdit(t *testing.T) {
	t.Parallel()
	file := newFile(t, one("good"))
	r := start(t, dev.Options{File: file})
	r.awaitAnswer("greeting", "good")

	write(t, file, broken)
	place := regexp.MustCompile(regexp.QuoteMeta(file) + `:4:\d+: flag \S*greeting\S* at /defaultVariant: `)
	r.await("the refusal with its place", func() bool { return place.MatchString(r.log.String()) })
	if got := r.answer("greeting"); got != "good" {
		t.Errorf("after a broken edit the flag answers %s", got)
	}
	if c := r.conditions(); !strings.Contains(c, "file-refused") || !strings.Contains(c, ":4:") {
		t.Errorf("the conditions do not name the mistake: %s", c)
	}

	write(t, file, `{"flags": {`)
	r.await("the refusal of text that is no JSON", func() bool { return strings.Contains(r.log.String(), file+":1:") })

	write(t, file, one("mended"))
	r.awaitAnswer("greeting", "mended")
	r.await("the end of the condition", func() bool { return !strings.Contains(r.conditions(), "file-refused") })

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.await("the notice that the file is gone", func() bool { return strings.Contains(r.log.String(), "does not exist") })
	if got := r.answer("greeting"); got != "mended" {
		t.Errorf("without the file the flag answers %s", got)
	}
	write(t, file, one("back"))
	r.awaitAnswer("greeting", "back")
}

// With a broken file, or none, everything starts and becomes ready once the file is good.
func TestBrokenFromTheStart(t *testing.T) {
	t.Parallel()
	large := one(strings.Repeat("x", document.MaxSize)) // more than the log takes
	for name, content := range map[string]string{"broken": broken, "missing": "", "too large": large} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "flags.json")
			if content != "" {
				write(t, file, content)
			}
			r := start(t, dev.Options{File: file})
			if r.ready() {
				t.Error("ready without ever having had flags")
			}
			// Not even an empty one, which sidecars would take for the truth.
			if status, body := r.ask(http.MethodGet, fmt.Sprintf("http://%s/api/v1/environments/dev", r.AdminAddr()), ""); status != http.StatusNotFound {
				t.Errorf("the environment exists before its file is good: %d %s", status, body)
			}
			if got := r.answer("greeting"); got != "PROVIDER_NOT_READY" {
				t.Errorf("the flag answers %s", got)
			}
			if !strings.Contains(r.log.String(), file) {
				t.Errorf("the file is not named: %s", r.log)
			}
			if _, status := r.ask(http.MethodGet, fmt.Sprintf("http://%s/status", r.ManagementAddr()), ""); strings.Contains(status, "environment-unknown") || strings.Contains(status, "not-ready") {
				t.Errorf("the sidecar blames what the file is to blame for: %s", status)
			}
			if strings.Contains(r.log.String(), "last good version") {
				t.Errorf("a good version is spoken of that never was: %s", r.log)
			}
			write(t, file, one("good"))
			r.awaitAnswer("greeting", "good")
			r.await("ready", r.ready)
		})
	}
}

// A file in YAML is followed like one in JSON, and its mistakes are told where they stand.
func TestYAML(t *testing.T) {
	t.Parallel()
	const good = "flags:\n  greeting: # of the page\n    state: ENABLED\n    variants: {a: hello, b: bye}\n    defaultVariant: a\n"
	file := filepath.Join(t.TempDir(), "flags.yaml")
	write(t, file, good)
	r := start(t, dev.Options{File: file})
	r.awaitAnswer("greeting", "hello")
	write(t, file, strings.Replace(good, "defaultVariant: a", "defaultVariant: c", 1))
	r.await("the refusal with its place", func() bool { return strings.Contains(r.log.String(), file+":5:21: flag ") })
	write(t, file, good+"  greeting: x\n")
	r.await("the refusal of what is no YAML", func() bool { return strings.Contains(r.log.String(), file+":6:3: this is not YAML") })
	write(t, file, strings.Replace(good, "defaultVariant: a", "defaultVariant: b", 1))
	r.awaitAnswer("greeting", "bye")
}

// A file that is not UTF-8 is told as that.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"\xef\xbb\xbf" + one("x"):   "the file begins with a byte order mark (save it as UTF-8 without BOM)",
		"\xff\xfe{\x00}\x00":        "the file is UTF-16 (save it as UTF-8 without BOM)",
		"{\"flags\":{\"\xe9\":{}}}": "this character is not UTF-8 (save the file as UTF-8)",
	} {
		r := start(t, dev.Options{File: newFile(t, content)})
		r.await(want, func() bool { return strings.Contains(r.log.String(), want) })
		r.stop()
	}
}

// What a developer can do nothing about, or need not, is not told.
func TestNothingIsSaidOfTheRootKey(t *testing.T) {
	t.Parallel()
	r := start(t, dev.Options{File: newFile(t, one("good"))})
	r.awaitAnswer("greeting", "good")
	if c := r.conditions(); strings.Contains(c, "root-key") || strings.Contains(r.log.String(), "root-key") {
		t.Errorf("dev speaks of the root key: %s\n%s", c, r.log)
	}
}

// An address that another process has is told with the option that changes it.
func TestAddressesInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for option, set := range map[string]func(*dev.Options, string){
		"--ofrep-addr":      func(o *dev.Options, addr string) { o.Sidecar.OFREPAddr = addr },
		"--management-addr": func(o *dev.Options, addr string) { o.Sidecar.ManagementAddr = addr },
		"--flagd-addr":      func(o *dev.Options, addr string) { o.Sidecar.FlagdAddr = addr },
		"--flagd-sync-addr": func(o *dev.Options, addr string) { o.Sidecar.FlagdSyncAddr = addr },
		"--admin-addr":      func(o *dev.Options, addr string) { o.AdminAddr = addr },
		"--nats-addr":       func(o *dev.Options, addr string) { o.NATSAddr = addr },
	} {
		t.Run(option, func(t *testing.T) {
			const free = "127.0.0.1:0"
			o := dev.Options{File: newFile(t, one("good")), AdminAddr: free, NATSAddr: free}
			o.Sidecar.OFREPAddr, o.Sidecar.ManagementAddr = free, free
			set(&o, l.Addr().String())
			d, err := dev.New(o)
			if err == nil {
				err = d.Run(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), "address already in use") || !strings.HasSuffix(err.Error(), "give another address with "+option) {
				t.Errorf("%v", err)
			}
		})
	}
}

// With a data directory the log goes on: a restart appends what differs, and a file that is broken then does not matter yet.
func TestRestartWithDataDir(t *testing.T) {
	t.Parallel()
	file, data := newFile(t, flags(map[string]string{"a": "1", "b": "1"})), t.TempDir()
	r := start(t, dev.Options{File: file, DataDir: data})
	r.awaitAnswer("a", "1")
	first := r.revision()
	r.stop()

	r = start(t, dev.Options{File: file, DataDir: data})
	r.awaitAnswer("a", "1")
	if got := r.revision(); got != first {
		t.Errorf("revision %s after a restart, was %s", got, first)
	}
	r.stop()

	write(t, file, flags(map[string]string{"a": "1", "b": "2"}))
	r = start(t, dev.Options{File: file, DataDir: data})
	r.awaitAnswer("b", "2")
	if got, want := r.revision(), strings.TrimSuffix(first, "-4")+"-5"; got != want {
		t.Errorf("revision %s after a change of one flag, want %s", got, want)
	}
	r.stop()

	write(t, file, broken)
	r = start(t, dev.Options{File: file, DataDir: data})
	r.awaitAnswer("b", "2")
}

// The file is the truth: no one else changes its environment.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	file := newFile(t, one("good"))
	r := start(t, dev.Options{File: file})
	base := fmt.Sprintf("http://%s/api/v1/environments/dev", r.AdminAddr())
	for path, method := range map[string]string{
		"/flags/greeting": http.MethodPut, "/segments/s": http.MethodPut, "/settings": http.MethodPut, "/archive": http.MethodPost,
	} {
		status, body := r.ask(method, base+path, `{}`)
		if status != http.StatusForbidden || !strings.Contains(body, file) {
			t.Errorf("%s %s answers %d %s, want a refusal that names the file", method, path, status, body)
		}
	}
	if got := r.answer("greeting"); got != "good" {
		t.Errorf("the flag answers %s", got)
	}
}

func TestCompatibility(t *testing.T) {
	t.Parallel()
	const unknown = `{"flags":{"f":{"state":"ENABLED","variants":{"v":"x"},"defaultVariant":"v","targeting":{"no_such_operator":[1]}}}}`
	tolerant := start(t, dev.Options{File: newFile(t, unknown), Compatibility: eval.CompatibilityFlagd})
	tolerant.await("ready", tolerant.ready)
	strict := start(t, dev.Options{File: newFile(t, unknown)})
	if strict.ready() {
		t.Error("an unknown operator is taken in strict mode")
	}
	_, body := tolerant.ask(http.MethodGet, fmt.Sprintf("http://%s/api/v1/environments/dev/settings", tolerant.AdminAddr()), "")
	if body != `{"compatibility":"flagd"}` {
		t.Errorf("settings are %s", body)
	}
}

// The greeting says what listens where, and what it tells to try works.
func TestGreeting(t *testing.T) {
	t.Parallel()
	r := start(t, dev.Options{File: newFile(t, flags(map[string]string{"a key/with slash & $HOME": "yes"}))})
	greeting := r.out.String()
	for _, address := range []string{r.OFREPAddr().String(), r.ManagementAddr().String(), r.AdminAddr().String(), "nats://127.0.0.1:", r.file} {
		if !strings.Contains(greeting, address) {
			t.Errorf("the greeting does not name %s:\n%s", address, greeting)
		}
	}
	lines := regexp.MustCompile(`(?m)^  curl -d '([^']*)' '(\S+)'$`).FindAllStringSubmatch(greeting, -1)
	if len(lines) != 2 {
		t.Fatalf("%d lines to try, want 2:\n%s", len(lines), greeting)
	}
	for _, line := range lines {
		if status, body := r.ask(http.MethodPost, line[2], line[1]); status != http.StatusOK || !strings.Contains(body, `"yes"`) {
			t.Errorf("%s answers %d %s", line[0], status, body)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	f := func(o dev.Options, want string) {
		t.Helper()
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %s", o, err, want)
		}
	}
	f(dev.Options{}, "no file")
	f(dev.Options{File: os.DevNull}, "read again")
	f(dev.Options{File: "f", Environment: "Dev!"}, "Dev!")
	f(dev.Options{File: "f", Sidecar: sidecar.Options{OFREPAddr: "0.0.0.0:1"}}, "loopback")
	f(dev.Options{File: "f", Sidecar: sidecar.Options{ManagementAddr: ":1"}}, "loopback")
	f(dev.Options{File: "f", AdminAddr: ":1"}, "loopback")
	f(dev.Options{File: "f", Sidecar: sidecar.Options{Context: resolver.Enrichment{Static: map[string]string{"": "x"}}}}, "needs a name")
}

// Contexts get what the options of the sidecar say.
func TestContexts(t *testing.T) {
	t.Parallel()
	const targeted = `{"flags": {"greeting": {"state": "ENABLED", "variants": {"home": "hello", "away": "hi"}, "defaultVariant": "away",
		"targeting": {"if": [{"==": [{"var": "region"}, "eu,north"]}, "home"]}}}}`
	file := newFile(t, targeted)
	for want, static := range map[string]map[string]string{"hi": nil, "hello": {"region": "eu,north"}} {
		r := start(t, dev.Options{File: file, Sidecar: sidecar.Options{Context: resolver.Enrichment{Static: static}}})
		r.await("ready", r.ready)
		if got := r.answer("greeting"); got != want {
			t.Errorf("with %v: %s, want %s", static, got, want)
		}
		r.stop()
	}
}

// With a file of tokens, no one else is answered, and the greeting shows how to say who asks.
func TestTokensOfApplications(t *testing.T) {
	t.Parallel()
	known := filepath.Join(t.TempDir(), "tokens")
	write(t, known, "token-of-an-application")
	r := start(t, dev.Options{File: newFile(t, one("x")), Sidecar: sidecar.Options{OFREPAuthFile: known}})
	if !strings.Contains(r.out.String(), `-H "Authorization: Bearer $TOKEN"`) {
		t.Errorf("the greeting does not show the token:\n%s", r.out)
	}
	if status, body := r.ask(http.MethodPost, fmt.Sprintf("http://%s/ofrep/v1/evaluate/flags", r.OFREPAddr()), `{}`); status != http.StatusUnauthorized {
		t.Errorf("with another token: %d %s", status, body)
	}
}

// The temporary directory is gone after the end, and after a start that failed.
func TestNothingIsLeft(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	r := start(t, dev.Options{File: newFile(t, one("x"))})
	if !strings.Contains(r.out.String(), temporary) {
		t.Errorf("the temporary directory is not named:\n%s", r.out)
	}
	taken := r.AdminAddr().String()
	if d, err := dev.New(dev.Options{File: r.file, AdminAddr: taken, Sidecar: sidecar.Options{OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0"}}); err == nil {
		t.Error("the address of another is taken")
		_ = d.Close()
	}
	r.stop()
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
