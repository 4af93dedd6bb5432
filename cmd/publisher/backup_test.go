package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/cli/transcript"
	"github.com/flagside/flagside/internal/publisher/client"
)

// session is command lines, and what they print.
type session struct {
	transcript.Transcript

	t testing.TB
}

// run runs a command, which ends with an exit code.
func (s *session) run(code int, args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	got := run(s.t.Context(), args, commandline.Terminal{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	if got != code {
		s.t.Fatalf("%q ends with %d, want %d:\n%s", args, got, code, out.String())
	}
	for i, arg := range args {
		if strings.Contains(arg, " ") {
			args[i] = strconv.Quote(arg)
		}
	}
	s.Add("$ publisher %s\n%s", strings.Join(args, " "), out.String())
	return out.String()
}

// filled makes a data directory with an environment and a flag.
func filled(t *testing.T, dir string) {
	t.Helper()
	const secret = "the-token-of-the-operator-in-these-tests"
	p, err := publisher.New(publisher.Options{
		DataDir: dir, AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Logger: zerolog.Nop(),
		FixedTokens: []access.FixedToken{{Secret: secret, Principal: access.Principal{ID: "op", Kind: access.KindToken, Groups: []string{access.RoleAdmin}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	ready, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := p.Ready(ready); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Options{Address: "http://" + p.AdminAddr().String(), Token: secret})
	if err == nil {
		_, err = c.CreateEnvironment(ctx, api.NewEnvironment{Name: "staging"}, api.AdministrationHeaders{})
	}
	if err != nil {
		t.Fatal(err)
	}
	flag := []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`)
	if _, _, err := c.Put(ctx, "staging", document.ID{Kind: document.KindFlag, Key: "new-checkout"}, flag, client.Precondition{Absent: true}, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
}

// The commands that save, restore and move an installation print what docs/operations.md shows.
func TestBackupSession(t *testing.T) {
	page, err := filepath.Abs("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	filled(t, "data/publisher")
	s := &session{t: t}
	out := s.run(0, "backup", "--data-dir", "data/publisher", "--out", "flagside.backup", "--with-keys")
	s.Name(regexp.MustCompile(`installation ([0-9a-f]{32})`).FindStringSubmatch(out)[1], "INSTALLATION")
	backup := s.part()
	s.run(0, "restore", "flagside.backup", "--data-dir", "data/restored", "--reason", "the disk was lost")
	s.run(1, "restore", "flagside.backup", "--data-dir", "data/restored")
	whole, err := os.ReadFile("flagside.backup")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("cut.backup", whole[:len(whole)-60], 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(1, "restore", "cut.backup", "--data-dir", "data/other")
	restore := s.part()
	cluster := natstest.StartCluster(t)
	s.Name(cluster.URL(), "tls://nats.shop.example:4222")
	s.run(0, "move", "--data-dir", "data/publisher", "--to", cluster.URL(), "--to-replicas", "3")
	s.run(1, "serve", "--data-dir", "data/publisher", "--log-format", "json")
	move := s.part()
	verifyPage(t, page, map[string]string{"backup": backup, "restore": restore, "move": move})
}

// part returns what was said since the last call.
func (s *session) part() string {
	text := s.String()
	s.Transcript.Forget()
	return regexp.MustCompile(`\b\d+ bytes`).ReplaceAllString(regexp.MustCompile(`at byte \d+`).ReplaceAllString(text, "at byte 2210"), "2282 bytes")
}

// verifyPage compares the blocks of a page with what was printed. With FLAGSIDE_UPDATE=1 it writes them.
func verifyPage(t *testing.T, page string, blocks map[string]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	for name, said := range blocks {
		begin, end := "<!-- printed: "+name+" -->\n", "<!-- /printed -->"
		before, rest, ok := strings.Cut(now, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no place for %s", page, name)
		}
		now = before + begin + "```console\n" + strings.TrimRight(said, "\n") + "\n```\n" + end + after
	}
	if now == string(text) {
		return
	}
	if os.Getenv("FLAGSIDE_UPDATE") == "" {
		t.Errorf("%s shows something else than the commands print; if that is meant, run with FLAGSIDE_UPDATE=1. They print:\n%v", page, blocks)
		return
	}
	if err := os.WriteFile(page, []byte(now), 0o600); err != nil {
		t.Fatal(err)
	}
}
