package charttest

import (
	"fmt"
	"maps"
)

// fault is what happens to a system, as the metrics tell of it: series in promtool's notation, a value a minute, and what it raises.
type fault struct {
	what   string
	series map[string]string
	at     string            // minutes after the beginning
	labels map[string]string // of the alert, beside its severity
	value  string            // as the description has it, for alerts that tell it
}

// faults has one for each alert. Many are those of the table of faults in docs/operations.md.
func faults() map[string]fault {
	sidecar, publisher := map[string]string{"instance": "pod-1:8014"}, map[string]string{"instance": "flags:8017"}
	with := func(labels map[string]string, name, value string) map[string]string {
		labels = maps.Clone(labels)
		labels[name] = value
		return labels
	}
	return map[string]fault{
		"FlagsideSidecarNotReady": {"NATS down at the first start", map[string]string{`flagside_ready{instance="pod-1:8014"}`: "0x20"}, "6m", sidecar, ""},
		"FlagsideSidecarStale":    {"NATS cut off", map[string]string{`flagside_snapshot_age_seconds{instance="pod-1:8014"}`: "0+30x20"}, "6m", sidecar, "3m 0s"},
		"FlagsideSidecarWithoutFlags": {"NATS down and disk corrupt", map[string]string{
			`flagside_serving_state{instance="pod-1:8014",state="empty"}`: "1x20", `flagside_serving_state{instance="pod-1:8014",state="live"}`: "0x20",
		}, "3m", sidecar, ""},
		"FlagsideConditionCritical": {"the stream was deleted", map[string]string{
			`flagside_condition{instance="flags:8017",condition="stream-lost",severity="critical"}`: "1x20",
		}, "2m", with(publisher, "condition", "stream-lost"), ""},
		"FlagsideConditionWarning": {"publisher down", map[string]string{
			`flagside_condition{instance="pod-1:8014",condition="publisher-silent",severity="warning"}`: "1x30",
		}, "16m", with(sidecar, "condition", "publisher-silent"), ""},
		"FlagsideFlagErrors": {"a rule that fails", map[string]string{
			`flagside_flag_errors_total{instance="pod-1:8014",feature_flag_key="checkout",code="PARSE_ERROR"}`: "0+60x30",
		}, "15m", map[string]string{"feature_flag_key": "checkout", "code": "PARSE_ERROR"}, ""},
		"FlagsideSidecarSheds": {"clients that do not read", map[string]string{`flagside_http_requests_shed_total{instance="pod-1:8014"}`: "0+10x20"}, "10m", sidecar, ""},
		"FlagsideConnectionsRefused": {"clients that keep no connection", map[string]string{
			`flagside_rpc_connections_refused_total{instance="pod-1:8014",server="evaluation"}`: "0+10x20",
		}, "10m", sidecar, ""},
		"FlagsidePanic":       {"a bug", map[string]string{`flagside_http_panics_total{instance="pod-1:8014"}`: "0 0 1 1 1 1"}, "4m", sidecar, ""},
		"FlagsideChangesSlow": {"everything from NATS comes late", slow(), "25m", map[string]string{}, ""},
		"FlagsideLogGaps":     {"a sidecar that stands still again and again", map[string]string{`flagside_log_gaps_total{instance="pod-1:8014"}`: "0+60x40"}, "31m", sidecar, ""},
		"FlagsidePublisherDown": {"publisher down", map[string]string{
			`flagside_build_info{instance="pod-1:8014",component="sidecar",version="1"}`: "1x20",
		}, "3m", map[string]string{"component": "publisher"}, ""},
		"FlagsideEnvironmentReadOnly": {"the log is another history", map[string]string{
			`flagside_environment_writable{instance="flags:8017",environment="prod"}`: "0x20",
		}, "3m", map[string]string{"environment": "prod"}, ""},
		"FlagsidePublisherBehind": {"a replica that cannot read", map[string]string{
			`flagside_environment_head_revision{instance="flags:8017",environment="prod"}`: "9x20",
			`flagside_environment_revision{instance="flags:8017",environment="prod"}`:      "7x20",
		}, "3m", with(publisher, "environment", "prod"), ""},
		"FlagsideDiskFull":       {"disk full", map[string]string{`flagside_disk_full{instance="flags:8017"}`: "0 1 1 1"}, "1m", publisher, ""},
		"FlagsideDiskNearlyFull": {"disk nearly full", map[string]string{`flagside_disk_free_ratio{instance="flags:8017"}`: "0.05x20"}, "11m", publisher, "5%"},
		"FlagsideWebhookFailing": {"a receiver that is down", map[string]string{
			`flagside_webhook_oldest_waiting_seconds{instance="flags:8017",webhook="audit",environment="prod"}`: "0+60x30",
		}, "22m", map[string]string{"webhook": "audit", "environment": "prod"}, "22m 0s"},
		"FlagsideWebhookLost": {"a receiver that is down for a week", map[string]string{
			`flagside_webhook_events_lost_total{instance="flags:8017",webhook="audit",environment="prod"}`: "0 0 3 3 3",
		}, "3m", map[string]string{"webhook": "audit", "environment": "prod"}, ""},
		"FlagsideUsageSinkLate": {"a bucket that refuses", map[string]string{
			`flagside_usage_sink_oldest_waiting_seconds{instance="flags:8017",sink="lake",environment="prod"}`: "0+600x30",
		}, "25m", map[string]string{"sink": "lake", "environment": "prod"}, "4h 10m 0s"},
		"FlagsideUsageSinkLost": {"a bucket that refuses for three days", map[string]string{
			`flagside_usage_sink_lost_reports_total{instance="flags:8017",sink="lake",environment="prod"}`: "0 0 3 3 3",
		}, "3m", map[string]string{"sink": "lake", "environment": "prod"}, ""},
		"FlagsideExposuresDropped": {"an experiment without a key", map[string]string{
			`flagside_usage_exposures_dropped_total{instance="pod-1:8014",reason="no_key"}`: "0+60x40",
		}, "31m", with(sidecar, "reason", "no_key"), ""},
		"FlagsideQuestionsForged": {"a question that no publisher has signed", map[string]string{
			`flagside_preview_questions_total{instance="pod-1:8014",outcome="unsigned"}`: "0 0 1 1 1",
		}, "3m", sidecar, ""},
		"FlagsideFleetTooLarge": {"more sidecars than a table holds", map[string]string{
			`flagside_fleet_dropped_total{instance="flags:8017",environment="prod",why="refused"}`: "0 0 9 9 9",
		}, "3m", map[string]string{"environment": "prod"}, ""},
		"FlagsideBreakGlass": {"a change without approval", map[string]string{
			`flagside_break_glass_total{instance="flags:8017",environment="prod"}`: "0 0 1 1 1",
		}, "3m", map[string]string{"environment": "prod"}, ""},
		"FlagsideFlagsExpired": {"a test that ended a month ago", map[string]string{
			`flagside_flags_oldest_expiry_seconds{instance="flags:8017",environment="prod"}`: "2678400x90",
		}, "61m", map[string]string{"environment": "prod"}, "31d 0h 0m 0s"},
		"FlagsideAPIErrors": {"undecided writes", map[string]string{
			`flagside_api_requests_total{instance="flags:8017",operation="putFlag",status="503"}`: "0+10x20",
			`flagside_api_requests_total{instance="flags:8017",operation="getFlag",status="200"}`: "0+50x20",
		}, "11m", map[string]string{}, "16.67%"},
		"FlagsideAPISheds": {"clients that do not read the API's answers", map[string]string{
			`flagside_api_requests_shed_total{instance="flags:8017"}`: "0+10x20",
		}, "11m", publisher, ""},
	}
}

// slow is a histogram of propagation whose values lie between 5 and 10 seconds.
func slow() map[string]string {
	name := func(bound string) string {
		return fmt.Sprintf(`flagside_propagation_seconds_bucket{instance="pod-1:8014",le=%q}`, bound)
	}
	return map[string]string{name("5"): "0x40", name("10"): "0+6x40", name("+Inf"): "0+6x40"}
}
