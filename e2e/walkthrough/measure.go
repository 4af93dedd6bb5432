package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/figures"
)

// measure changes flags of an environment that needs no approval, one after the other over one connection, and returns how long each
// change took: from the request to the answer that it is in the log, on disk.
func (w *walker) measure(ctx context.Context, count int) (figures.Durations, error) {
	if _, code, err := w.execute(ctx, step{who: "admin", line: "environment create staging"}); err != nil || code != 0 {
		return nil, fmt.Errorf("create staging: exit code %d: %w", code, err)
	}
	token, err := os.ReadFile(w.tokens["editor"])
	if err != nil {
		return nil, err
	}
	var all figures.Durations
	for i := range count {
		target := fmt.Sprintf("http://%s/api/v1/environments/staging/flags/flag-%d", w.admin, i)
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, target, bytes.NewReader([]byte(checkout)))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("If-None-Match", "*")
		took, err := timed(request)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	return all, nil
}

// timed makes a request that must succeed.
func timed(request *http.Request) (time.Duration, error) {
	begin := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(response.Body)
	took := time.Since(begin)
	_ = response.Body.Close()
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s: %s", request.URL.Path, response.Status, body)
	}
	return took, err
}
