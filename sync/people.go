package flagsync

import "context"

// OpenPeople creates the stream PEOPLE, of what is known about persons, or
// verifies the one that is there. It is to be there from the beginning: see
// [PublisherTakes] for what could be created in its place. replicas is 1, 3 or 5.
func OpenPeople(ctx context.Context, c *Conn, replicas int) error {
	if err := validateReplicas(replicas); err != nil {
		return err
	}
	_, err := c.createStream(ctx, peopleConfig(replicas))
	return err
}
