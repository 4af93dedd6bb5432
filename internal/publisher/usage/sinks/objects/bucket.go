package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// BucketOptions say which bucket. All members but Region, Prefix and the keys are required. They hold secrets.
type BucketOptions struct {
	Endpoint *url.URL // scheme and host
	Region   string   // empty has the server asked for it
	Bucket   string
	Prefix   string // of names; empty or without a slash at its ends
	// AccessKey and SecretKey are the credentials; empty means those in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
	AccessKey, SecretKey string
	// Transport makes the connections.
	Transport http.RoundTripper
}

// Bucket keeps files in a bucket.
type Bucket struct {
	options BucketOptions
	client  *minio.Client
}

// NewBucket returns a bucket. Nothing is asked of the server before something is put.
func NewBucket(o BucketOptions) (*Bucket, error) {
	known := credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
	if o.AccessKey == "" {
		known = credentials.NewEnvAWS()
	}
	client, err := minio.New(o.Endpoint.Host, &minio.Options{
		Creds: known, Secure: o.Endpoint.Scheme == "https", Region: o.Region, Transport: o.Transport,
		MaxRetries: 1, // who puts tries again
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	return &Bucket{o, client}, nil
}

// Where returns where it is, for people.
func (b *Bucket) Where() string {
	return b.options.Endpoint.Scheme + "://" + b.options.Endpoint.Host + "/" + path.Join(b.options.Bucket, b.options.Prefix)
}

// Put stores an object with one request, so that it is there whole or not at all.
func (b *Bucket) Put(ctx context.Context, name string, data []byte) error {
	_, err := b.client.PutObject(ctx, b.options.Bucket, path.Join(b.options.Prefix, name), bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "application/vnd.apache.parquet", DisableMultipart: true})
	if err == nil {
		return nil
	}
	if about, ok := errors.AsType[*url.Error](err); ok {
		err = about.Err // without the address, in which keys may be
	}
	if answer := minio.ToErrorResponse(err); answer.StatusCode != 0 {
		err = fmt.Errorf("the server answered %d %s", answer.StatusCode, answer.Code)
	}
	return fmt.Errorf("bucket %s: %w", b.options.Bucket, err)
}
