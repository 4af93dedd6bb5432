package sinks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/flagside/flagside/internal/publisher/egress"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/columns"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/objects"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/otlp"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

// destination is where the parcels of a sink go.
type destination interface {
	// write brings a parcel there, and returns nil when all of it is stored. Each request is made with try, which repeats it.
	write(ctx context.Context, environment string, p *parcel, try attempts, tell *tally) error
	// Where returns what may be shown of the place.
	Where() string
	close()
}

// attempts makes a request until it succeeds, or fails for good.
type attempts func(ctx context.Context, request func(context.Context) error) error

// newDestination returns where the parcels of a sink go.
func newDestination(s Sink) (destination, error) {
	switch {
	case s.Bucket != nil:
		b := s.Bucket
		bucket, err := objects.NewBucket(objects.BucketOptions{
			Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name, Prefix: b.Prefix, AccessKey: b.AccessKey, SecretKey: b.SecretKey,
			Transport: egress.Transport(egress.Over(b.Endpoint.Scheme, s.AllowPrivate), s.CA, s.Timeout),
		})
		if err != nil {
			return nil, err
		}
		return files{bucket}, nil
	case s.Directory != "":
		directory := objects.NewDirectory(s.Directory)
		_ = directory.Clean(time.Now()) // what fails here fails again when something is put, and is told then
		return files{directory}, nil
	default:
		return records{otlp.New(otlp.Options{URL: s.URL, Header: s.Header, AllowPrivate: s.AllowPrivate, CA: s.CA, Timeout: s.Timeout})}, nil
	}
}

// store keeps files by name.
type store interface {
	Put(ctx context.Context, name string, data []byte) error
	Where() string
}

// files writes each parcel as Parquet files, one for each series and hour.
type files struct{ store }

func (files) close() {}

func (f files) write(ctx context.Context, environment string, p *parcel, try attempts, tell *tally) error {
	w := hourly{store: f.store, environment: environment, name: p.name(), try: try, tell: tell}
	if err := put(ctx, w, rows.Counts, p.tables.Counts); err != nil {
		return err
	}
	if err := put(ctx, w, rows.Exposures, p.tables.Exposures); err != nil {
		return err
	}
	return put(ctx, w, rows.Outcomes, p.tables.Outcomes)
}

// hourly writes the files of one parcel.
type hourly struct {
	store             store
	environment, name string
	try               attempts
	tell              *tally
}

// put writes the files of a series, one after the other, so that no more than one is in memory.
func put[T any](ctx context.Context, w hourly, s rows.Series, hours rows.Hours[T]) error {
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		data, err := columns.File(hours[hour])
		if err != nil {
			return err
		}
		at := hour.Time()
		name := fmt.Sprintf("series=%s/env=%s/date=%s/hour=%02d/%s.parquet", s, w.environment, at.Format(time.DateOnly), at.Hour(), w.name)
		if err := w.try(ctx, func(ctx context.Context) error { return w.store.Put(ctx, name, data) }); err != nil {
			return err
		}
		w.tell.stored(s, len(hours[hour]), len(data))
	}
	return nil
}

// maxRequest is how large the records of one request may be, in bytes.
const maxRequest = 1 << 20

// records sends each parcel as log records.
type records struct{ client *otlp.Client }

// Where returns the host.
func (r records) Where() string { return r.client.Where() }

func (r records) close() { r.client.Close() }

func (r records) write(ctx context.Context, environment string, p *parcel, try attempts, tell *tally) error {
	for request := range slices.Values(requests(otlp.Records(environment, p.tables))) {
		var sent otlp.Sent
		err := try(ctx, func(ctx context.Context) (err error) {
			sent, err = r.client.Send(ctx, environment, request)
			return err
		})
		if refused, ok := errors.AsType[*otlp.RefusedError](err); ok && refused.Permanent() {
			tell.rejected(int64(len(request)), refused.Error())
			continue
		}
		if err != nil {
			return err
		}
		if sent.Rejected > 0 {
			tell.rejected(sent.Rejected, sent.Why)
		}
		tell.sent(request, sent)
	}
	return nil
}

// requests divides records so that each request is bounded.
func requests(all []*logs.LogRecord) (divided [][]*logs.LogRecord) {
	begin, size := 0, 0
	for i, one := range all {
		n := proto.Size(one)
		if i-begin == otlp.MaxRecords || size+n > maxRequest && i > begin {
			divided = append(divided, all[begin:i])
			begin, size = i, 0
		}
		size += n
	}
	if begin < len(all) {
		divided = append(divided, all[begin:])
	}
	return divided
}

// permanent reports whether an attempt need not be repeated.
func permanent(err error) bool {
	refused, ok := errors.AsType[*otlp.RefusedError](err)
	return ok && refused.Permanent()
}
