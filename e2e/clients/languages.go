package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// language is clients of one tool chain. They share a publisher and a sidecar, one client after the other.
type language struct {
	name    string
	tools   []string   // programs that it needs
	dir     string     // of its drivers
	prepare [][]string // commands in dir that make the drivers, with their packages pinned
	clients []client
	pages   bool // whether it can open pages of other origins
}

func languages() []language {
	return []language{
		{name: "Go", tools: []string{"go"}, dir: ".", clients: goClients()},
		{
			name: "JavaScript", tools: []string{"node", "npm", "chromium"}, dir: "javascript", clients: javascriptClients(), pages: true,
			prepare: [][]string{{"npm", "ci", "--no-audit", "--no-fund", "--silent"}, {"npm", "run", "--silent", "bundle"}},
		},
		{
			name: "Python", tools: []string{"python3"}, dir: "python", clients: pythonClients(),
			prepare: [][]string{
				{"python3", "-m", "venv", "venv"},
				{"venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", "requirements.txt"},
			},
		},
		{
			name: "Java", tools: []string{"java", "mvn"}, dir: "java", clients: javaClients(),
			prepare: [][]string{{"mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory=target/libs"}},
		},
		{
			name: "Rust", tools: []string{"cargo", "protoc"}, dir: "rust", clients: rustClients(),
			prepare: [][]string{{"./build.sh"}},
		},
	}
}

func goClients() []client {
	return []client{
		{"Go", "ofrep", openGo(newGoOFREP), true},
		{"Go", "rpc", openGo(newGoRPC), false},
		{"Go", socketMode, openGo(newGoSocket), false},
		{"Go", "in-process", openGo(newGoInProcess), false},
	}
}

func javascriptClients() []client {
	return append(processClients("Node.js", "node", filepath.Join(scripts, "node.mjs")),
		client{"web", "polling", openWeb("polling"), false}, client{"web", "sse", openWeb("sse"), false})
}

// pythonClients has none for sockets: the provider takes a host and a port only.
func pythonClients() []client {
	ofrep, rpc, _, inProcess := fourModes("Python", "python/venv/bin/python", "python/driver.py")
	return []client{ofrep, rpc, inProcess}
}

func javaClients() []client {
	return processClients("Java", "java", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", "java/target/classes:java/target/libs/*", "clients.Driver")
}

// rustClients tell of no changes, because the SDK has no events.
func rustClients() []client {
	all := processClients("Rust", "rust/target/debug/flagside-clients")
	for i := range all {
		all[i].silent = true
	}
	return all
}

// processClients are the modes of a driver that is a process.
func processClients(name string, command ...string) []client {
	ofrep, rpc, socket, inProcess := fourModes(name, command...)
	return []client{ofrep, rpc, socket, inProcess}
}

func fourModes(name string, command ...string) (ofrep, rpc, socket, inProcess client) {
	of := func(mode string, silent bool) client {
		return client{name, mode, openProcess(mode, command...), silent}
	}
	return of("ofrep", true), of("rpc", false), of(socketMode, false), of("in-process", false)
}

// absent returns the first program that is not installed, "" if all are.
func (l language) absent() string {
	for _, tool := range l.tools {
		if _, err := exec.LookPath(tool); err != nil {
			return tool
		}
	}
	return ""
}

// present returns the languages that can run here. It says which cannot; with CI=true that is an error, because CI installs them all.
func present(all []language) ([]language, error) {
	var here []language
	for _, l := range all {
		tool := l.absent()
		switch {
		case tool == "":
			here = append(here, l)
		case os.Getenv("CI") == "true":
			return nil, fmt.Errorf("%s: %s is not installed, and with CI=true nothing is skipped", l.name, tool)
		default:
			fmt.Printf("%s: skipped, because %s is not installed\n", l.name, tool)
		}
	}
	return here, nil
}

// prepareTimeout is for downloads and compilers on a slow machine.
const prepareTimeout = 10 * time.Minute

// prepareAll makes the drivers, those of all languages at the same time, because most of it is waiting for packages.
func prepareAll(ctx context.Context, all []language) error {
	ctx, stop := context.WithTimeoutCause(ctx, prepareTimeout, fmt.Errorf("packages and drivers are not complete after %s", prepareTimeout))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, l := range all {
		running.Go(func() {
			begin := time.Now()
			if err := l.make(ctx); err != nil {
				cancel(err)
				return
			}
			fmt.Printf("%s: made in %.0f s\n", l.name, time.Since(begin).Seconds())
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// make runs the commands of a language.
func (l language) make(ctx context.Context) error {
	for _, words := range l.prepare {
		command := exec.CommandContext(ctx, words[0], words[1:]...) // #nosec G204 -- the commands are ours
		command.Dir = l.dir
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %s: %w\n%s", l.name, strings.Join(words, " "), err, output)
		}
	}
	return nil
}
