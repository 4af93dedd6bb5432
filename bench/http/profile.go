//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
)

// profile has the sidecar profile itself while it is measured. The returned function waits for the profile and writes it into the directory, with the
// name of the scenario.
func profile(ctx context.Context, dir string, s *sidecar, a *asked, much amount) (finish func() error) {
	done := make(chan error, 1)
	go func() {
		seconds := int(math.Ceil((much.warmUp + much.measured).Seconds()))
		done <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.Management, seconds), filepath.Join(dir, a.Name+".pprof"))
	}()
	return func() error {
		if err := <-done; err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		return nil
	}
}

// fetch writes what is at a URL into a file.
func fetch(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, response.Body)
	return errors.Join(err, out.Close())
}
