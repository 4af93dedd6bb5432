package api

import "time"

// WebhookList has the webhooks of the publisher's file, by name.
type WebhookList struct {
	Items []Webhook `json:"items" nullable:"false"`
}

// Webhook is a receiver of events, without its secrets.
type Webhook struct {
	Name         string            `json:"name"`
	Host         string            `json:"host" example:"https://hooks.example.com" doc:"Scheme and host of the receiver. The rest of its address may be secret and is never shown."`
	Format       string            `json:"format" enum:"cloudevents,slack,teams,text"`
	Events       []string          `json:"events,omitempty" nullable:"false" doc:"The types of events that it gets; absent for all."`
	Breaker      string            `json:"breaker" enum:"closed,open,half-open" doc:"open: it is left alone for a minute, because it has failed five times in a row."`
	Environments []WebhookDelivery `json:"environments" nullable:"false"`
}

// WebhookDelivery is how the events of one environment reach a webhook. Publishers share the work: errors and counts are those of the one that answers.
type WebhookDelivery struct {
	Environment    string    `json:"environment"`
	State          string    `json:"state" enum:"starting,ok,failing" doc:"starting: its place in the stream of events is not known yet."`
	Delivered      uint64    `json:"delivered" doc:"Events that this publisher has delivered since its start."`
	LastDelivered  time.Time `json:"lastDelivered,omitzero"`
	Waiting        uint64    `json:"waiting" doc:"Events that the receiver has not got yet, whichever publisher has them in hand."`
	OldestWaiting  time.Time `json:"oldestWaiting,omitzero" doc:"When the oldest of them was taken up."`
	FailingSince   time.Time `json:"failingSince,omitzero" doc:"Since when every attempt of this publisher has failed."`
	FailedAttempts uint64    `json:"failedAttempts,omitzero" doc:"How many have failed since."`
	LastError      string    `json:"lastError,omitempty"`
}

// WebhookTest is what became of an event of type test.
type WebhookTest struct {
	Delivered bool   `json:"delivered"`
	Error     string `json:"error,omitempty" doc:"Why the receiver did not take it."`
}
