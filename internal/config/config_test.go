package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settings has one field of every type that an option can have.
type settings struct {
	Text    string
	Choice  string
	On      bool
	Number  int
	Wait    time.Duration
	Address string
	List    []string
	Secret  Secret
	File    string
}

// newSet declares every type of option once.
func newSet(o *settings) *Set {
	s := NewSet("tool serve", "Serves.")
	s.String(&o.Text, "text", "a text", "any text")
	s.Choice(&o.Choice, "choice", "one", []string{"one", "two"}, "one or two")
	s.Bool(&o.On, "on", false, "on or off")
	s.Int(&o.Number, "number", 7, "a number")
	s.Duration(&o.Wait, "wait", time.Second, "how long to wait")
	s.Address(&o.Address, "listen-addr", "127.0.0.1:8016", "where to listen")
	s.List(&o.List, "list", []string{"x"}, "some texts")
	s.Secret(&o.Secret, "token", "a token")
	return s
}

// env makes a lookup function of a map.
func env(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		text, ok := variables[name]
		return text, ok
	}
}

// write writes a file into a directory of the test's own and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParseTakesTheFirstSource(t *testing.T) {
	t.Parallel()
	options := []struct {
		flag, env, file string // the same option from three sources
		want            [4]any // from flag, environment, file, default
		got             func(*settings) any
	}{
		{
			`--text=flag`, "FLAGSIDE_TEXT=env", `"text": "file"`,
			[4]any{"flag", "env", "file", "a text"},
			func(o *settings) any { return o.Text },
		},
		{
			`--choice=two`, "FLAGSIDE_CHOICE=two", `"choice": "two"`,
			[4]any{"two", "two", "two", "one"},
			func(o *settings) any { return o.Choice },
		},
		{
			`--on`, "FLAGSIDE_ON=true", `"on": true`,
			[4]any{true, true, true, false},
			func(o *settings) any { return o.On },
		},
		{
			`--number=1`, "FLAGSIDE_NUMBER=2", `"number": 3`,
			[4]any{1, 2, 3, 7},
			func(o *settings) any { return o.Number },
		},
		{
			`--wait=1ms`, "FLAGSIDE_WAIT=2ms", `"wait": "3ms"`,
			[4]any{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond, time.Second},
			func(o *settings) any { return o.Wait },
		},
		{
			`--listen-addr=[::1]:1`, "FLAGSIDE_LISTEN_ADDR=:2", `"listen-addr": "localhost:3"`,
			[4]any{"[::1]:1", ":2", "localhost:3", "127.0.0.1:8016"},
			func(o *settings) any { return o.Address },
		},
		{
			`--list=a,b`, "FLAGSIDE_LIST=c, d,", `"list": ["e", "f"]`,
			[4]any{[]string{"a", "b"}, []string{"c", "d"}, []string{"e", "f"}, []string{"x"}},
			func(o *settings) any { return o.List },
		},
	}
	for _, option := range options {
		// Every combination of sources: the first one present must win.
		for sources := range 8 {
			var args []string
			variables := map[string]string{}
			want := option.want[3]
			if sources&4 != 0 {
				variables["FLAGSIDE_CONFIG"] = write(t, "config.json", "{"+option.file+"}")
				want = option.want[2]
			}
			if sources&2 != 0 {
				name, text, _ := strings.Cut(option.env, "=")
				variables[name] = text
				want = option.want[1]
			}
			if sources&1 != 0 {
				args = append(args, option.flag)
				want = option.want[0]
			}
			var o settings
			action, err := newSet(&o).Parse(args, env(variables))
			if err != nil || action != ActionRun {
				t.Fatalf("%v %v: action %v, error %v", args, variables, action, err)
			}
			if diff := cmp.Diff(want, option.got(&o)); diff != "" {
				t.Errorf("%v %v (-want +got):\n%s", args, variables, diff)
			}
		}
	}
}

func TestParseFalseOverridesTrue(t *testing.T) {
	t.Parallel()
	var o settings
	if _, err := newSet(&o).Parse([]string{"--on=false"}, env(map[string]string{"FLAGSIDE_ON": "true"})); err != nil {
		t.Fatal(err)
	}
	if o.On {
		t.Error("the environment overrode the flag")
	}
}

func TestParseIgnoresEmptyVariables(t *testing.T) {
	t.Parallel()
	var o settings
	if _, err := newSet(&o).Parse(nil, env(map[string]string{"FLAGSIDE_NUMBER": "", "FLAGSIDE_TOKEN": ""})); err != nil {
		t.Fatal(err)
	}
	if o.Number != 7 || o.Secret != (Secret{}) {
		t.Errorf("got %d and %q, want the defaults", o.Number, o.Secret.Reveal())
	}
}

func TestParseRepeatedFlags(t *testing.T) {
	t.Parallel()
	var o settings
	args := []string{"--text", "a", "--list", "a", "--text", "b", "--list", "b,c"}
	if _, err := newSet(&o).Parse(args, env(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, o.List); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if o.Text != "b" {
		t.Errorf("text = %q, want the last one", o.Text)
	}
}

func TestParseActions(t *testing.T) {
	t.Parallel()
	f := func(want Action, args ...string) {
		t.Helper()
		var o settings
		got, err := newSet(&o).Parse(args, env(nil))
		if err != nil || got != want {
			t.Errorf("%v: got action %v, error %v, want action %v", args, got, err, want)
		}
	}
	f(ActionRun)
	f(ActionRun, "--check=false")
	f(ActionCheck, "--check")
	f(ActionPrint, "--print-config")
	f(ActionPrint, "--print-config", "--check")
	f(ActionHelp, "-h")
	f(ActionHelp, "--help", "--number=x")
}

func TestParseArguments(t *testing.T) {
	t.Parallel()
	f := func(wantFile, wantErr string, args ...string) {
		t.Helper()
		var o settings
		s := newSet(&o)
		s.Argument(&o.File, "FILE", "file to watch")
		_, err := s.Parse(args, env(nil))
		if fmt.Sprint(err) != wantErr || o.File != wantFile {
			t.Errorf("%q: got %q, error %v, want %q, error %s", args, o.File, err, wantFile, wantErr)
		}
	}
	f("flags.json", "<nil>", "flags.json")
	f("flags.json", "<nil>", "flags.json", "--number", "2")
	f("flags.json", "<nil>", "--number", "2", "flags.json", "--on")
	f("--number", "<nil>", "--", "--number")
	f("--on", "<nil>", "--number=1", "--", "--on")
	f("", "argument FILE is missing: file to watch")
	f("a", `unexpected argument "b"`, "a", "b")
	f("a", `unexpected argument "--on"`, "a", "--", "--on")
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	f := func(want string, variables map[string]string, args ...string) {
		t.Helper()
		var o settings
		_, err := newSet(&o).Parse(args, env(variables))
		if fmt.Sprint(err) != want {
			t.Errorf("%v %v: got error\n%v\nwant\n%s", args, variables, err, want)
		}
	}
	f(`flag --number: "x" is not an integer`, nil, "--number=x")
	f(`flag --number: "1.5" is not an integer`, nil, "--number=1.5")
	f(`environment variable FLAGSIDE_WAIT: "5" is not a duration such as 500ms, 2s or 1h30m`, map[string]string{"FLAGSIDE_WAIT": "5"})
	f(`flag --wait: "-5s" is not a duration such as 500ms, 2s or 1h30m`, nil, "--wait=-5s")
	f(`flag --choice: "three" is not one of one, two`, nil, "--choice", "three")
	f(`environment variable FLAGSIDE_ON: "yes" is neither true nor false`, map[string]string{"FLAGSIDE_ON": "yes"})
	f(`flag --on: "1" is neither true nor false`, nil, "--on=1")
	f(`flag --listen-addr: "8016" is not an address such as 127.0.0.1:8016 or [::1]:8016`, nil, "--listen-addr=8016")
	f(`flag --listen-addr: the port of "localhost:http" is not a number from 0 to 65535`, nil, "--listen-addr=localhost:http")
	f(`flag --listen-addr: the port of ":65536" is not a number from 0 to 65535`, nil, "--listen-addr=:65536")
	f(`there is no option --nonsense`, nil, "--nonsense")
	f(`command line: flag needs an argument: -number`, nil, "--number")
	f(`there is no option --token`, nil, "--token=abc")
	f(`configuration file nowhere.json: no such file or directory`, nil, "--config=nowhere.json")
	f("flag --choice: \"\" is not one of one, two\nflag --number: \"x\" is not an integer\nunexpected argument \"rest\"",
		nil, "--number=x", "rest", "--choice=")
}

func TestRequire(t *testing.T) {
	t.Parallel()
	parse := func(args ...string) (bool, error) {
		var name string
		s := NewSet("tool", "Does.")
		option := s.String(&name, "environment", "", "name of the environment")
		option.Require()
		_, err := s.Parse(args, env(nil))
		return option.Given(), err
	}
	const want = "option --environment is required: give it as a flag, as FLAGSIDE_ENVIRONMENT or in the configuration file"
	if given, err := parse(); fmt.Sprint(err) != want || given {
		t.Errorf("without the option: given %v, error %v", given, err)
	}
	if _, err := parse("--environment="); fmt.Sprint(err) != want {
		t.Errorf("with the empty option: error %v", err)
	}
	if given, err := parse("--environment=prod"); err != nil || !given {
		t.Errorf("with the option: given %v, error %v", given, err)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	path := write(t, "token", "s3cret\r\n")
	empty := write(t, "empty", "\n")
	large := write(t, "large", strings.Repeat("x", maxSecretBytes+1))
	f := func(want, wantErr string, variables map[string]string, args ...string) {
		t.Helper()
		var o settings
		_, err := newSet(&o).Parse(args, env(variables))
		if o.Secret.Reveal() != want || fmt.Sprint(err) != wantErr {
			t.Errorf("%v %v: got %q, error %v, want %q, error %s", args, variables, o.Secret.Reveal(), err, want, wantErr)
		}
	}
	f("", "<nil>", nil)
	f("s3cret", "<nil>", nil, "--token-file", path)
	f("s3cret", "<nil>", map[string]string{"FLAGSIDE_TOKEN_FILE": path})
	f("s3cret", "<nil>", map[string]string{"FLAGSIDE_TOKEN": "s3cret"})
	f("s3cret", "<nil>", nil, "--config", write(t, "config.json", fmt.Sprintf(`{"token-file": %q}`, path)))
	f("", "flag --token-file and environment variable FLAGSIDE_TOKEN both give the secret: leave one out",
		map[string]string{"FLAGSIDE_TOKEN": "s3cret"}, "--token-file", path)
	f("", "flag --token-file: nowhere: no such file or directory", nil, "--token-file", "nowhere")
	f("", "flag --token-file: "+empty+" is empty: write the value into it", nil, "--token-file", empty)
	f("", "flag --token-file: "+large+" is larger than 65536 bytes", nil, "--token-file", large)
}

func TestSecretDoesNotShowItself(t *testing.T) {
	t.Parallel()
	secret := Secret{text: "s3cret"}
	encoded, err := json.Marshal(map[string]any{"a": secret, "b": &secret})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %s %q %+v %#v %x %s", secret, secret, secret, secret, secret, secret, encoded)
	if strings.Contains(shown, "s3cret") || strings.Contains(shown, fmt.Sprintf("%x", "s3cret")) {
		t.Errorf("the secret is visible in %s", shown)
	}
	if got := (Secret{}).String(); got != "" {
		t.Errorf("the absent secret shows as %q", got)
	}
}

func TestDeclarationMistakesPanic(t *testing.T) {
	t.Parallel()
	f := func(name, usage string) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("option %q with usage %q was accepted", name, usage)
			}
		}()
		var text string
		s := NewSet("tool", "Does.")
		s.String(&text, "taken", "", "taken")
		s.String(&text, name, "", usage)
	}
	f("taken", "twice")
	f("config", "a common option")
	f("silent", "")
	f("", "no name")
	f("Upper", "upper case")
	f("two--dashes", "two dashes")
	f("-lead", "leading dash")
	f("under_score", "underscore")
}

// A short flag and the long one are the same option: the last one counts.
func TestShortFlag(t *testing.T) {
	t.Parallel()
	f := func(want string, args ...string) {
		t.Helper()
		var output string
		set := NewSet("test", "Tests.")
		set.Choice(&output, "output", "table", []string{"table", "json"}, "how it looks").Short("o")
		if _, err := set.Parse(args, func(string) (string, bool) { return "", false }); err != nil || output != want {
			t.Errorf("%v: %q, %v; want %q", args, output, err, want)
		}
		if usage := set.Usage(); !strings.Contains(usage, "-o, --output table|json") {
			t.Errorf("the usage does not name it:\n%s", usage)
		}
		if text := set.Markdown(); !strings.Contains(text, "| `--output` or `-o` |") {
			t.Errorf("the documentation does not name it:\n%s", text)
		}
	}
	f("table")
	f("json", "-o", "json")
	f("json", "-o=json")
	f("table", "-o", "json", "--output", "table")
	f("json", "--output", "table", "-o", "json")
}
