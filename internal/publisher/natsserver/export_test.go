package natsserver

import "github.com/nats-io/nats-server/v2/server"

// Terms returns o in the terms of NATS.
func Terms(o Options) (*server.Options, error) { return o.server() }

// MaxGuests is how many environments clients without credentials can name.
const MaxGuests = maxGuests

// NextPause is how long a restart of JetStream waits after the one before.
var NextPause = nextPause
