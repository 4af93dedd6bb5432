package main

import (
	"context"
	"encoding/json"
)

// Driver is an OpenFeature client with its provider, wherever it runs.
type Driver interface {
	// Evaluate asks as an application would, with its own default value.
	Evaluate(ctx context.Context, q Question) (Answer, error)
	// Events returns what the provider tells the application. It is never closed.
	Events() <-chan Event
	// Close ends the client.
	Close()
}

// Question is one call of the evaluation API.
type Question struct {
	Type    string         `json:"type"` // boolean, string, integer, float or object
	Key     string         `json:"key"`
	Default any            `json:"default"`
	Context map[string]any `json:"context"`
}

// Answer is what the evaluation API returns.
type Answer struct {
	Value     json.RawMessage `json:"value"`
	Variant   string          `json:"variant"`
	Reason    string          `json:"reason"`
	ErrorCode string          `json:"errorCode"`
	Message   string          `json:"errorMessage"`
}

// Event is what a provider tells: ready, error, stale or changed; of the drivers themselves started and failed.
type Event struct {
	Name    string   `json:"event"`
	Flags   []string `json:"flags"`
	Message string   `json:"message"`
}

// eventQueue is more than any test lets pass unread.
const eventQueue = 1024

// client is a row of the matrix: a way to make a Driver.
type client struct {
	name string // language and provider
	mode string
	// open connects to the sidecar, and returns when the client says that it is ready.
	open func(ctx context.Context, s *system) (Driver, error)
	// silent providers tell of no changes: they ask the sidecar each time.
	silent bool
}
