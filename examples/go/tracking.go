package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"
)

// trackingProvider is the OFREP provider with tracking: client.Track tells the sidecar what happened. What cannot be told is lost, as OpenFeature
// wants it: tracking is nothing that an application waits for or fails by.
type trackingProvider struct {
	*ofrep.Provider

	endpoint string // of the sidecar
	client   http.Client
}

func newTrackingProvider(endpoint string) *trackingProvider {
	return &trackingProvider{Provider: ofrep.NewProvider(endpoint), endpoint: endpoint, client: http.Client{Timeout: 2 * time.Second}}
}

// Track implements openfeature.Tracker.
func (p *trackingProvider) Track(ctx context.Context, event string, user openfeature.EvaluationContext, details openfeature.TrackingEventDetails) {
	body, err := json.Marshal(map[string]any{"event": event, "targetingKey": user.TargetingKey(), "value": details.Value()})
	if err != nil {
		return
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	if response, err := p.client.Do(request); err == nil {
		response.Body.Close()
	}
}
