package opentelemetry

import (
	"fmt"
	"strings"
)

// protocol is how exports travel.
type protocol string

const (
	protocolHTTP protocol = "http/protobuf"
	protocolGRPC protocol = "grpc"
)

// settings say what is exported and how. Everything else that the specification knows, such as addresses, headers, certificates,
// sampling and intervals, is read from the environment by the exporters themselves.
type settings struct {
	traces, metrics protocol // empty if they are not exported
}

// readSettings reads the variables. Nothing is exported unless one of them names an endpoint.
func readSettings(lookup func(name string) (string, bool)) (s settings, err error) {
	value := func(name string) string {
		text, _ := lookup(name)
		return strings.TrimSpace(text)
	}
	if strings.EqualFold(value("OTEL_SDK_DISABLED"), "true") {
		return settings{}, nil
	}
	if s.traces, err = readSignal(value, "TRACES"); err != nil {
		return settings{}, err
	}
	s.metrics, err = readSignal(value, "METRICS")
	return s, err
}

// readSignal returns how a signal is exported, empty if it is not.
func readSignal(value func(string) string, signal string) (protocol, error) {
	switch name := "OTEL_" + signal + "_EXPORTER"; value(name) {
	case "", "otlp":
	case "none":
		return "", nil
	default:
		return "", fmt.Errorf("%s is neither otlp nor none", name)
	}
	if value("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") == "" && value("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return "", nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch text := protocol(value(name)); text {
		case "":
		case protocolHTTP, protocolGRPC:
			return text, nil
		default:
			return "", fmt.Errorf("%s is neither %s nor %s", name, protocolHTTP, protocolGRPC)
		}
	}
	return protocolHTTP, nil
}
