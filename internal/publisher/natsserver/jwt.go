package natsserver

import (
	"fmt"
	"strings"
	"time"

	flagsync "github.com/flagside/flagside/sync"
)

// JWTCommands returns the commands of nsc that make the accounts and let the users in, for servers whose accounts an operator signs.
// Exports are private: each account takes what an activation allows it, so that a further environment changes no other account.
func JWTCommands(users []User) ([]byte, error) {
	w := &commands{}
	w.line("#!/bin/sh")
	w.line("# Accounts for flagside. Run this where nsc has the operator, then: nsc push -A")
	w.line("set -eu")
	all := layouts(environmentsOf(users))
	for _, l := range all {
		w.account(l)
	}
	w.line("")
	w.line("# Who takes what. An activation is a file that is not needed afterwards.")
	w.line(`activation=$(mktemp)`)
	for _, l := range all {
		w.imports(l)
	}
	w.line(`rm "$activation"`)
	w.line("")
	w.line("# Users: the seeds stay where they are.")
	for _, u := range users {
		w.user(u)
	}
	return []byte(w.text.String()), nil
}

// commands collects lines of a script.
type commands struct{ text strings.Builder }

func (w *commands) line(format string, a ...any) { fmt.Fprintf(&w.text, format+"\n", a...) }

// account makes an account with what it offers.
func (w *commands) account(l layout) {
	w.line("")
	w.line("nsc add account --name %s", l.name)
	if l.jetStream {
		w.line("nsc edit account --name %s --js-mem-storage -1 --js-disk-storage -1 --js-streams -1 --js-consumer -1", l.name)
	}
	for _, o := range l.offers {
		line := fmt.Sprintf("nsc add export --account %s --private --name %s --subject %s", l.name, quoted(o.Subject), quoted(o.Subject))
		if o.Service {
			kind := "Singleton"
			if o.Streamed {
				kind = "Stream"
			}
			line += fmt.Sprintf(" --service --response-type %s --response-threshold %s", kind, o.threshold().Round(time.Second))
		}
		w.line("%s", line)
	}
}

// imports lets an account have what it takes.
func (w *commands) imports(l layout) {
	for _, t := range l.takes {
		w.line(`nsc generate activation --account %s --target-account "$(nsc describe account %s --field sub | tr -d '"')" --subject %s --output-file "$activation"`,
			t.from, l.name, quoted(t.Subject))
		line := fmt.Sprintf(`nsc add import --account %s --name %s --token "$activation"`, l.name, quoted(t.Subject))
		if t.Local != t.Subject {
			line += " --local-subject " + quoted(numbered(t.Local))
		}
		w.line("%s", line)
	}
}

// user lets a user in.
func (w *commands) user(u User) {
	p := u.permissions()
	w.line("nsc add user --account %s --name %s --public-key %s --allow-pub %s --allow-sub %s%s", u.account(), quoted(u.Name), u.NKey,
		quoted(strings.Join(p.Publish, ",")), quoted(strings.Join(p.Subscribe, ",")), denied(p))
}

func denied(p flagsync.Permissions) string {
	if p.DenyPublish == nil {
		return ""
	}
	return " --deny-pub " + quoted(strings.Join(p.DenyPublish, ","))
}

// numbered returns a pattern whose wildcards are those of another one, in order.
func numbered(pattern string) string {
	tokens := strings.Split(pattern, ".")
	n := 0
	for i, token := range tokens {
		if token == "*" {
			n++
			tokens[i] = fmt.Sprintf("$%d", n)
		}
	}
	return strings.Join(tokens, ".")
}

// quoted keeps a shell from reading what is in a word.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
