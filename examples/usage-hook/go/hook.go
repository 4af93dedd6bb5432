package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"
)

// usageHook counts what an application evaluates by itself, and tells it to the sidecar, which cannot see it.
type usageHook struct {
	openfeature.UnimplementedHook
	mu     sync.Mutex
	counts map[evaluation]int
	client string // says that it is the same application that tells
}

type evaluation struct{ flag, variant, reason, code string }

func newUsageHook() *usageHook {
	return &usageHook{counts: make(map[evaluation]int), client: rand.Text()}
}

// Finally is called after every evaluation, also after one that failed.
func (h *usageHook) Finally(_ context.Context, _ openfeature.HookContext, d openfeature.InterfaceEvaluationDetails, _ openfeature.HookHints) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[evaluation{d.FlagKey, d.Variant, string(d.Reason), string(d.ErrorCode)}]++
}

// tell tells what was counted since the last time. Call it once a minute, also without any evaluation, and at the end.
func (h *usageHook) tell(ctx context.Context, sidecar string) error {
	h.mu.Lock()
	counts := h.counts
	h.counts = make(map[evaluation]int)
	h.mu.Unlock()
	all := []map[string]any{}
	for e, n := range counts {
		all = append(all, map[string]any{"flag": e.flag, "variant": e.variant, "reason": e.reason, "errorCode": e.code, "count": n})
	}
	body, err := json.Marshal(map[string]any{"client": h.client, "evaluations": all})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, sidecar+"/v1/evaluations", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the sidecar answers %s, %w", response.Status, err)
	}
	return nil
}
