package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJSONLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger(&out, "info", FormatJSON)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug().Msg("not written")
	log.Warn().Err(errors.New("no route")).Str("flag_key", "a").Msg("log unreachable")

	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	at, err := time.Parse(timeFormat, line["time"])
	if err != nil || time.Since(at) > time.Minute || at.Location() != time.UTC {
		t.Errorf("time %q is not now in UTC: %v", line["time"], err)
	}
	delete(line, "time")
	want := map[string]string{"level": "warn", "message": "log unreachable", "error": "no route", "flag_key": "a"}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestConsoleLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger(&out, "debug", FormatConsole)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Str("addr", "127.0.0.1:8016").Msg("listening")
	want := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INF listening addr=127\.0\.0\.1:8016\n$`)
	if !want.Match(out.Bytes()) {
		t.Errorf("got %q, want a match of %s", out.String(), want)
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for i, level := range Levels() {
		var out bytes.Buffer
		log, err := NewLogger(&out, level, FormatJSON)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug().Send()
		log.Info().Send()
		log.Warn().Send()
		log.Error().Send()
		if got, want := bytes.Count(out.Bytes(), []byte("\n")), len(Levels())-i; got != want {
			t.Errorf("level %s wrote %d lines, want %d", level, got, want)
		}
	}
}

func TestNewLoggerRefuses(t *testing.T) {
	t.Parallel()
	f := func(level string, format Format, want string) {
		t.Helper()
		if _, err := NewLogger(&bytes.Buffer{}, level, format); fmt.Sprint(err) != want {
			t.Errorf("level %q, format %q: got error %v, want %s", level, format, err, want)
		}
	}
	f("loud", FormatJSON, `log level "loud" is not one of debug, info, warn, error`)
	f("", FormatJSON, `log level "" is not one of debug, info, warn, error`)
	f("info", "xml", `log format "xml" is neither json nor console`)
}

func TestRegistriesAreSeparate(t *testing.T) {
	t.Parallel()
	for _, component := range []string{"sidecar", "publisher"} {
		registry, err := NewRegistry(component)
		if err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		missing := map[string]bool{"flagside_build_info": true, "go_goroutines": true, "process_start_time_seconds": true}
		for _, family := range families {
			delete(missing, family.GetName())
			if family.GetName() != "flagside_build_info" {
				continue
			}
			if got := family.GetMetric()[0].GetLabel()[0].GetValue(); got != component {
				t.Errorf("component = %q, want %q", got, component)
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s lacks %v", component, missing)
		}
	}
}
