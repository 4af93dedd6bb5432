package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/cli"
	"github.com/flagside/flagside/internal/waiting"
)

// What people do each day takes no JSON.
func TestDailyVerbs(t *testing.T) {
	t.Parallel()
	s := &session{t: t, address: serve(t)}
	s.run(0, "admin", "", "environment create staging")
	s.run(0, "admin", "", "environment create trial")
	s.run(0, "editor", "", "flag create checkout --bool -e staging --owner shop --tag checkout,web --kind release")
	s.run(4, "editor", "", "flag create checkout --bool -e staging")
	s.run(0, "editor", "", "flag create banner --string red,blue,green --default blue -e staging")
	s.run(0, "editor", "", "flag create retries --number 1,2.5 -e staging -o json")
	s.run(2, "editor", "", "flag create x -e staging")
	s.run(2, "editor", "", "flag create x --number one -e staging")
	s.run(2, "editor", "", "flag create x --string a,a -e staging")

	s.run(0, "editor", "", "flag rollout checkout on=10 -e staging")
	s.run(0, "viewer", "", "flag get checkout -e staging -o json")
	s.run(0, "editor", "", "flag rollout banner red=12.5 green=25% -e staging")
	s.run(0, "editor", "", "flag rollout banner red=100 -e staging --dry-run")
	s.run(2, "editor", "", "flag rollout banner red=60 green=50 -e staging")
	s.run(2, "editor", "", "flag rollout banner red -e staging")
	s.run(9, "editor", "", "flag rollout banner blue=50 -e staging")
	s.run(9, "editor", "", "flag rollout banner purple=50 -e staging")
	s.run(0, "editor", `{"in":[{"var":"email"},["ann@shop.example"]]}`, "segment put testers -e staging")
	nested := `{"targeting":{"if":[{"$ref":"testers"},"on",{"fractional":[{"var":"email"},["on",1],["off",9]]}]}}`
	s.run(0, "editor", `{"targeting":null}`, "flag patch checkout -e staging")
	s.run(0, "editor", nested, "flag patch checkout -e staging")
	s.run(0, "editor", "", "flag rollout checkout on=50 -e staging --dry-run")
	s.run(0, "editor", `{"targeting":null}`, "flag patch checkout -e staging")
	s.run(0, "editor", `{"targeting":{"if":[{"$ref":"testers"},"on"]}}`, "flag patch checkout -e staging")
	s.run(9, "editor", "", "flag rollout checkout on=50 -e staging")

	s.run(0, "viewer", "", "flag evaluate checkout -e staging --context email=ann@shop.example --context age=30")
	s.run(0, "editor", "", "segment add testers bob@shop.example eve@shop.example ann@shop.example -e staging")
	s.run(0, "viewer", "", "flag evaluate checkout -e staging --context email=bob@shop.example")
	s.run(0, "editor", "", "segment remove testers ann@shop.example -e staging")
	s.run(0, "viewer", "", "segment get testers -e staging -o json")
	s.run(0, "viewer", "", "flag evaluate checkout -e staging --context email=ann@shop.example")
	s.run(5, "viewer", "", "flag evaluate chekout -e staging")
	s.run(8, "viewer", "", "flag evaluate checkout --sidecar http://127.0.0.1:1")
	s.run(0, "editor", `{"ends_with":[{"var":"email"},"@shop.example"]}`, "segment put staff -e staging")
	s.run(9, "editor", "", "segment add staff ann@shop.example -e staging")

	s.run(0, "editor", "", "flag copy checkout newer-checkout -e staging")
	s.run(0, "editor", "", "flag toggle newer-checkout off -e staging")
	s.run(0, "editor", "", "flag rollback newer-checkout -e staging")
	s.run(0, "viewer", "", "flag list -e staging")
	s.run(0, "viewer", "", "flag list -e staging --tag WEB --state on")
	s.run(0, "viewer", "", "flag list -e staging --owner other")
	s.run(0, "viewer", "", "flag list -e staging --owner other -o json")
	s.run(0, "viewer", "", "flag list -e staging --text retr -o json")
	s.run(0, "editor", "", "flag create once --bool -e trial")
	s.run(4, "editor", "", "flag rollback once -e trial")
	s.run(0, "editor", `{"expires":"2020-01-31"}`, "flag patch once -e trial")
	s.run(0, "viewer", "", "flag list -e trial --expired")
	s.run(0, "viewer", "", "flag list --all-environments")
	s.run(0, "editor", "", "flag toggle once off -e trial")
	s.run(0, "editor", "", "flag rollout once on=50 -e trial")
	s.run(0, "editor", `{"targeting":{"fractional":[["off",90],["on",10]]}}`, "flag patch once -e trial")
	s.run(0, "editor", "", "flag rollout once on=20 -e trial")
	s.run(0, "viewer", "", "flag get once -e trial -o json")
	s.run(0, "editor", `{"targeting":{"fractional":[["on",50],[{"if":[true,"off","on"]},50]]}}`, "flag patch once -e trial")
	s.run(9, "editor", "", "flag rollout once on=20 -e trial")
	s.run(0, "editor", `{"!":{"in":[{"var":"email"},["bob@shop.example"]]}}`, "segment put others -e trial")
	s.run(9, "editor", "", "segment add others ann@shop.example -e trial")
	s.run(5, "editor", "", "segment remove testers zoe@shop.example -e staging")
	first := wordAfter(s.t, s.run(0, "editor", "", "flag create twice --bool -e trial"), ": revision ")
	s.run(0, "editor", "", "flag delete twice -e trial")
	s.run(0, "editor", "", "flag create twice --bool -e trial")
	s.run(4, "editor", "", "flag rollback twice -e trial")
	s.run(0, "editor", "", "flag rollback twice -e trial --to "+strings.Split(first, "-")[0]+"-2")
	s.run(0, "viewer", "", "flag evaluate banner -e staging --context targetingKey=7")
	s.run(5, "viewer", "", "flag list -e stagin")
	s.run(5, "viewer", "", "flag get chekcout -e staging")
	golden(t, "testdata/verbs.txt", s.String())
}

// person is a terminal of a person with a directory for contexts, and an editor.
func person(t *testing.T, address, editor string) func(wantCode int, want, stdin string, line ...string) {
	t.Helper()
	home := t.TempDir()
	script := filepath.Join(home, "editor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"+editor+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return func(wantCode int, want, stdin string, line ...string) {
		t.Helper()
		var out strings.Builder
		terminal := commandline.Terminal{
			Environ: []string{"HOME=" + home, "EDITOR=" + script}, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &out,
		}
		p := commandline.Program{Name: "flagside", Commands: cli.Commands(), Fallback: cli.FromContext, Names: cli.Names, ExitCode: cli.ExitCode}
		code := p.Run(t.Context(), line, terminal)
		if code != wantCode || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, %s; want %d and %q", line, code, &out, wantCode, want)
		}
	}
}

// Who has logged in needs no options. Options and variables count more, and a change says which environment it is made in, and why.
func TestLoginAndContexts(t *testing.T) {
	t.Parallel()
	address := serve(t)
	host := strings.TrimPrefix(address, "http://")
	f := person(t, address, "")
	f(3, "not accepted", "wrong\n", "login", "--admin", address, "-e", "staging")
	f(0, "NAME", "", "context", "list")
	f(0, "logged in to "+address+" as admin; context first is used", secretOf("admin")+"\n", "login", "--admin", address, "-e", "staging", "--name", "first")
	f(0, "environment staging is created", "", "environment", "create", "staging")
	f(0, "environment other is created", "", "environment", "create", "other")
	f(0, "environment staging, from context first", "", "flag", "create", "checkout", "--bool")
	f(0, "checkout", "", "flag", "list")
	f(0, "KEY", "", "flag", "list", "-e", "other")
	f(0, "logged in to "+address+" as viewer; context "+host+" is used", secretOf("viewer")+"\n", "login", "--admin", address, "-e", "other")
	f(3, "environment other, from context "+host, "", "flag", "create", "more", "--bool")
	f(0, "*     "+host, "", "context", "list")
	f(3, "is for "+address+", and is not sent to http://127.0.0.1:1", "", "flag", "list", "--admin", "http://127.0.0.1:1")
	f(5, "did you mean first?", "", "context", "use", "frist")
	f(0, "context first is used from now on: "+address+", environment staging", "", "context", "use", "first")
	f(0, "environment staging, from context first", "", "flag", "toggle", "checkout", "off")
	f(0, "context first is forgotten", "", "context", "remove", "first")
	f(2, "say which environment", "", "flag", "list")
	f(2, "made of letters", "x\n", "login", "--name", "../x")
}

// What an editor leaves is written. What cannot be written stays in a file, and a change by others is shown.
func TestEdit(t *testing.T) {
	t.Parallel()
	address := serve(t)
	f := person(t, address, `sed -i 's/"defaultVariant": "off"/"defaultVariant": "on"/' "$1"`)
	f(0, "logged in", secretOf("admin")+"\n", "login", "--admin", address, "-e", "staging")
	f(0, "created", "", "environment", "create", "staging")
	f(0, "created", "", "flag", "create", "checkout", "--bool")
	f(0, "flag checkout is written", "", "flag", "edit", "checkout")
	f(0, "nothing was edited", "", "flag", "edit", "checkout")
	f(5, "did you mean checkout?", "", "flag", "edit", "chekcout")

	bad := person(t, address, `sed -i 's/"on": true/"on": tru/' "$1"`)
	bad(0, "logged in", secretOf("admin")+"\n", "login", "--admin", address, "-e", "staging")
	bad(9, "your text is in ", "", "flag", "edit", "checkout")

	meanwhile := filepath.Join(t.TempDir(), "meanwhile")
	late := person(t, address, `sed -i 's/"on": true/"on": 1/' "$1"; touch `+meanwhile+`; while test -e `+meanwhile+`; do sleep 0.01; done`)
	late(0, "logged in", secretOf("admin")+"\n", "login", "--admin", address, "-e", "staging")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		late(4, "it was changed while you edited it:\n--- staging at ", "", "flag", "edit", "checkout")
	}()
	waiting.Until(t, "the editor", func() bool { _, err := os.Stat(meanwhile); return err == nil })
	f(0, "is off", "", "flag", "toggle", "checkout", "off")
	if err := os.Remove(meanwhile); err != nil {
		t.Fatal(err)
	}
	<-ended
}
