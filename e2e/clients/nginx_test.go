package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/waiting"
)

// patience is how long an event may take through a proxy on a busy machine. A proxy that keeps events back keeps them for ever.
const patience = 10 * time.Second

// nginxConfig has the defaults of nginx: HTTP/1.0 to the server behind it, and answers kept until a buffer is full.
const nginxConfig = `
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    location / { proxy_pass http://%[3]s; }
  }
}
`

// TestEventStreamBehindNginx opens the event stream of a sidecar through nginx as it is installed, and expects each event at once.
func TestEventStreamBehindNginx(t *testing.T) {
	nginx := nginxPath(t)
	binaries, err := process.Built(t.Context(), "../../bin")
	if err != nil {
		t.Fatalf("%v (make build makes the programs)", err)
	}
	s, err := newSystem(binaries, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	front := startNginx(t, nginx, s.ofrep)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	lines := openEvents(ctx, t, front)
	awaitLine(t, lines, ": open")
	for range 2 {
		if _, err := s.change(ctx); err != nil {
			t.Fatal(err)
		}
		awaitLine(t, lines, `data: {"type":"refetchEvaluation"`)
	}
}

// nginxPath returns where nginx is, which Debian installs where only root looks.
func nginxPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("nginx is not installed, so the event stream is not tried behind it: apt-get install nginx-light")
	return ""
}

// startNginx runs nginx before a server until the test ends, and returns its address once it answers.
func startNginx(t *testing.T, path, behind string) string {
	t.Helper()
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, addresses[0], behind), 0o600); err != nil {
		t.Fatal(err)
	}
	// #nosec G204 -- the path is that of the installed program.
	nginx := exec.Command(path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	nginx.Stderr = os.Stderr
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt) // it ends its worker
		_ = nginx.Wait()
	})
	waiting.UntilNil(t, "an answer of nginx", func() error {
		response, err := http.Get("http://" + addresses[0] + "/")
		if err == nil {
			return response.Body.Close()
		}
		log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // which may not be there yet
		return fmt.Errorf("%w\n%s", err, log)
	})
	return addresses[0]
}

// openEvents opens an event stream and returns its lines. They end with ctx.
func openEvents(ctx context.Context, t *testing.T, address string) <-chan string {
	t.Helper()
	lines := make(chan string, 100)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/ofrep/v1/sse", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(lines)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return
		}
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// awaitLine waits for a line with the prefix.
func awaitLine(t *testing.T, lines <-chan string, prefix string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, open := <-lines:
			if strings.HasPrefix(line, prefix) {
				return
			}
			if !open {
				t.Fatalf("the stream ended before a line %q", prefix)
			}
		case <-late:
			t.Fatalf("no line %q within %s", prefix, patience)
		}
	}
}
