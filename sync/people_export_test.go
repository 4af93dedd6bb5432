package flagsync

import "context"

// CreatePeople creates the stream of what is known about persons.
func CreatePeople(ctx context.Context, c *Conn) error {
	_, err := c.createStream(ctx, peopleConfig(1))
	return err
}
