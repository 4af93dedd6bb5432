package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	flagd "github.com/open-feature/go-sdk-contrib/providers/flagd/pkg"
	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"
)

// goDriver is the Go SDK with one of its providers.
type goDriver struct {
	domain string
	client *openfeature.Client
	events chan Event
}

func newGoOFREP(s *system) (openfeature.FeatureProvider, error) {
	return ofrep.NewProvider("http://" + s.ofrep), nil
}

func newGoRPC(s *system) (openfeature.FeatureProvider, error) {
	return flagd.NewProvider(flagd.WithRPCResolver(), flagd.WithHost("127.0.0.1"), flagd.WithPort(port(s.flagd)))
}

func newGoSocket(s *system) (openfeature.FeatureProvider, error) {
	return flagd.NewProvider(flagd.WithRPCResolver(), flagd.WithSocketPath(s.socket))
}

func newGoInProcess(s *system) (openfeature.FeatureProvider, error) {
	return flagd.NewProvider(flagd.WithInProcessResolver(), flagd.WithHost("127.0.0.1"), flagd.WithPort(port(s.flagdSync)))
}

// port returns the port of an address that this program has chosen.
func port(address string) uint16 {
	number, _ := strconv.ParseUint(address[strings.LastIndexByte(address, ':')+1:], 10, 16)
	return uint16(number)
}

func openGo(provider func(*system) (openfeature.FeatureProvider, error)) func(context.Context, *system) (Driver, error) {
	return func(ctx context.Context, s *system) (Driver, error) {
		p, err := provider(s)
		if err != nil {
			return nil, err
		}
		d := &goDriver{domain: fmt.Sprintf("%p", p), events: make(chan Event, eventQueue)}
		d.client = openfeature.NewClient(d.domain)
		d.listen()
		return d, openfeature.SetNamedProviderWithContextAndWait(ctx, d.domain, p)
	}
}

// listen passes on what the provider tells.
func (d *goDriver) listen() {
	for name, kind := range map[string]openfeature.EventType{
		"ready":   openfeature.ProviderReady,
		"error":   openfeature.ProviderError,
		"stale":   openfeature.ProviderStale,
		"changed": openfeature.ProviderConfigChange,
	} {
		callback := func(details openfeature.EventDetails) {
			d.events <- Event{Name: name, Flags: details.FlagChanges, Message: details.Message}
		}
		d.client.AddHandler(kind, &callback)
	}
}

func (d *goDriver) Evaluate(ctx context.Context, q Question) (Answer, error) {
	evaluation := openfeature.NewEvaluationContext(targetingKey(q.Context), q.Context)
	switch q.Type {
	case "boolean":
		details, _ := d.client.BooleanValueDetails(ctx, q.Key, q.Default.(bool), evaluation)
		return goAnswer(details.Value, details.EvaluationDetails)
	case "string":
		details, _ := d.client.StringValueDetails(ctx, q.Key, q.Default.(string), evaluation)
		return goAnswer(details.Value, details.EvaluationDetails)
	case "integer":
		details, _ := d.client.IntValueDetails(ctx, q.Key, int64(q.Default.(int)), evaluation)
		return goAnswer(details.Value, details.EvaluationDetails)
	case "float":
		details, _ := d.client.FloatValueDetails(ctx, q.Key, q.Default.(float64), evaluation)
		return goAnswer(details.Value, details.EvaluationDetails)
	default:
		details, _ := d.client.ObjectValueDetails(ctx, q.Key, q.Default, evaluation)
		return goAnswer(details.Value, details.EvaluationDetails)
	}
}

// targetingKey takes the targeting key out of the attributes, where the Go SDK wants it apart.
func targetingKey(attributes map[string]any) string {
	key, _ := attributes["targetingKey"].(string)
	return key
}

func goAnswer(value any, details openfeature.EvaluationDetails) (Answer, error) {
	encoded, err := json.Marshal(value)
	return Answer{
		Value: encoded, Variant: details.Variant, Reason: string(details.Reason),
		ErrorCode: string(details.ErrorCode), Message: details.ErrorMessage,
	}, err
}

func (d *goDriver) Events() <-chan Event { return d.events }

func (d *goDriver) Close() {
	_ = openfeature.SetNamedProvider(d.domain, openfeature.NoopProvider{}) // which shuts the other one down
}
