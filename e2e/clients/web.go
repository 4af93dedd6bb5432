package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// scripts is the directory of the drivers in JavaScript.
const scripts = "javascript"

const page = `<!doctype html><meta charset="utf-8"><title>flagside clients</title><script type="module" src="/web.js"></script>`

// openWeb opens a page with the driver for browsers in a headless Chromium.
func openWeb(mode string) func(context.Context, *system) (Driver, error) {
	return func(ctx context.Context, s *system) (Driver, error) {
		d := newScript()
		listener, err := net.Listen("tcp", s.page)
		if err != nil {
			return nil, err
		}
		server := &http.Server{Handler: d.serve(filepath.Join(scripts, "web.js")), ReadHeaderTimeout: 5 * time.Second}
		go func() { _ = server.Serve(listener) }()
		query := url.Values{"sidecar": {"http://" + s.ofrep}, "mode": {mode}}
		browser, err := startChromium("http://" + s.page + "/?" + query.Encode())
		if err != nil {
			_ = server.Close()
			return nil, err
		}
		d.stop = sync.OnceFunc(func() {
			browser()
			_ = server.Close()
			close(d.ended)
		})
		return d, d.awaitStart(ctx)
	}
}

// startChromium opens a page and returns how to close it.
func startChromium(address string) (stop func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "flagside-chromium-")
	if err != nil {
		return nil, err
	}
	// #nosec G204 -- the address is ours.
	browser := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+profile,
		"--remote-debugging-port=0", address)
	browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a browser is many processes
	if err := browser.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(profile))
	}
	return func() {
		_ = syscall.Kill(-browser.Process.Pid, syscall.SIGKILL)
		_ = browser.Wait() // it was killed
		_ = os.RemoveAll(profile)
	}, nil
}

// serve hands out the page and the commands, and takes the reports.
func (s *script) serve(bundle string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("GET /web.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, bundle) })
	mux.HandleFunc("GET /command", func(w http.ResponseWriter, r *http.Request) {
		var c command
		select {
		case c = <-s.commands:
		case <-time.After(5 * time.Second): // the page asks again
		case <-r.Context().Done():
		}
		_ = json.NewEncoder(w).Encode(c)
	})
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = s.take(body)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "web:", err)
		}
	})
	return mux
}
