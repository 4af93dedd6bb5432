package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// scrapeInterval is also the step of the lines.
const scrapeInterval = 2 * time.Second

// series is what Prometheus has of a panel's query.
type series struct {
	name   string
	labels map[string]string
	points []point
}

// point is a value that may be NaN.
type point struct {
	at    time.Time
	value float64
}

// answered is a panel with what there is to draw.
type answered struct {
	panel
	series     []series
	begin, end time.Time
}

// ask asks for each panel what the panel asks.
func ask(ctx context.Context, address string, board dashboard, begin, end time.Time) ([]answered, error) {
	var all []answered
	for _, p := range board.Panels {
		a := answered{panel: p, begin: begin, end: end}
		for _, t := range p.Targets {
			values := url.Values{"query": {t.query()}}
			call := "query"
			if t.Instant {
				values.Set("time", seconds(end))
			} else {
				call = "query_range"
				values.Set("start", seconds(begin))
				values.Set("end", seconds(end))
				values.Set("step", scrapeInterval.String())
			}
			found, err := query(ctx, "http://"+address+"/api/v1/"+call+"?"+values.Encode())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.Title, err)
			}
			for _, s := range found {
				s.name = t.legend(s.labels)
				a.series = append(a.series, s)
			}
		}
		all = append(all, a)
	}
	return all, nil
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func query(ctx context.Context, address string) ([]series, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  sample
				Values []sample
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Error != "" {
		return nil, fmt.Errorf("%s %s: %w", response.Status, answer.Error, err)
	}
	var all []series
	for _, r := range answer.Data.Result {
		s := series{labels: r.Metric}
		if r.Values == nil {
			r.Values = []sample{r.Value}
		}
		for _, v := range r.Values {
			s.points = append(s.points, point(v))
		}
		all = append(all, s)
	}
	return all, nil
}

// sample is a point as the API has it: a list of seconds and a text.
type sample point

func (s *sample) UnmarshalJSON(text []byte) error {
	var at float64
	var value string
	if err := json.Unmarshal(text, &[]any{&at, &value}); err != nil {
		return err
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return err
	}
	whole, part := math.Modf(at)
	s.at, s.value = time.Unix(int64(whole), int64(part*1e9)), number
	return nil
}
