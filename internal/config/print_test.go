package config

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	var file, environment string
	var token Secret
	var on bool
	s := NewSet("tool dev", "Serves a file.")
	s.Argument(&file, "FILE", "file to watch")
	s.String(&environment, "environment", "", "name of the environment").Require()
	s.Bool(&on, "on", true, "on or off")
	s.Secret(&token, "token", "token for the server")
	const want = `Serves a file.

Usage: tool dev FILE [options]

  FILE                          file to watch

Options:
  --environment text            name of the environment (required)
  --on                          on or off (default true)
  --token-file file             token for the server

Options of many commands:
  --config file                 JSON file with options by name; flags and environment variables override it
  --check                       check the configuration, say what is wrong and exit
  --print-config                print the configuration that would be used, secrets masked, and exit

Options can also be set by environment variables: --environment by FLAGSIDE_ENVIRONMENT.
`
	if diff := cmp.Diff(want, s.Usage()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var o settings
	const want = "## `tool serve`\n\nServes.\n\n" +
		"| Option | Environment variable | Type | Default | Meaning |\n" +
		"|---|---|---|---|---|\n" +
		"| `--text` | `FLAGSIDE_TEXT` | text | `a text` | any text |\n" +
		"| `--choice` | `FLAGSIDE_CHOICE` | one\\|two | `one` | one or two |\n" +
		"| `--on` | `FLAGSIDE_ON` | true\\|false | `false` | on or off |\n" +
		"| `--number` | `FLAGSIDE_NUMBER` | number | `7` | a number |\n" +
		"| `--wait` | `FLAGSIDE_WAIT` | duration | `1s` | how long to wait |\n" +
		"| `--listen-addr` | `FLAGSIDE_LISTEN_ADDR` | host:port | `127.0.0.1:8016` | where to listen |\n" +
		"| `--list` | `FLAGSIDE_LIST` | text,... | `x` | some texts |\n" +
		"| `--token-file` | `FLAGSIDE_TOKEN_FILE` or `FLAGSIDE_TOKEN` (the secret itself) | file |  | a token |\n\n"
	if diff := cmp.Diff(want, newSet(&o).Markdown()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestPrintMasksSecrets(t *testing.T) {
	t.Parallel()
	var o settings
	s := newSet(&o)
	args := []string{
		"--text=nats://user:p4ss@one:4222,nats://t0ken@two:4222,nats://three:4222", "--list", "tls://user:p4ss@four", "--on",
	}
	if _, err := s.Parse(args, env(map[string]string{"FLAGSIDE_TOKEN": "s3cret"})); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "text": "nats://***@one:4222,nats://***@two:4222,nats://three:4222",
  "choice": "one",
  "on": true,
  "number": 7,
  "wait": "1s",
  "listen-addr": "127.0.0.1:8016",
  "list": ["tls://***@four"],
  "token-file": "***"
}
`
	if diff := cmp.Diff(want, s.Print()); diff != "" {
		t.Errorf("printed configuration (-want +got):\n%s", diff)
	}
}

// What --print-config prints is a configuration file that means the same.
func TestPrintCanBeReadAgain(t *testing.T) {
	t.Parallel()
	secret := write(t, "token", "s3cret")
	var first settings
	printing := newSet(&first)
	args := []string{
		"--text", "<a> & \"b\"", "--choice=two", "--on", "--number=-3", "--wait=90s", "--listen-addr=:0", "--list=",
		"--token-file", filepath.Clean(secret),
	}
	if _, err := printing.Parse(args, env(nil)); err != nil {
		t.Fatal(err)
	}
	var second settings
	path := write(t, "config.json", printing.Print())
	if _, err := newSet(&second).Parse([]string{"--config", path}, env(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second, cmp.AllowUnexported(Secret{})); diff != "" {
		t.Errorf("read again (-first +second):\n%s", diff)
	}
}

// Options that were not given are shown empty where they have no default, and read again as not given.
func TestPrintOfAbsentOptionsCanBeReadAgain(t *testing.T) {
	t.Parallel()
	declare := func() *Set {
		s := NewSet("tool", "Does.")
		s.String(new(string), "text", "", "a text")
		s.Choice(new(string), "choice", "", []string{"one"}, "one or nothing")
		s.Address(new(string), "listen-addr", "", "where to listen, if at all")
		s.List(new([]string), "list", nil, "some texts")
		s.Secret(new(Secret), "token", "a token")
		return s
	}
	printing := declare()
	if _, err := printing.Parse(nil, env(nil)); err != nil {
		t.Fatal(err)
	}
	again := declare()
	if _, err := again.Parse([]string{"--config", write(t, "config.json", printing.Print())}, env(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(printing.Print(), again.Print()); diff != "" {
		t.Errorf("printed again (-first +second):\n%s", diff)
	}
}
