package zone

// Replace takes over the records of another zone, all at once: queries see the old ones or the new ones. The
// other zone is empty afterwards, so that the two never share what both may change.
func (z *Zone) Replace(o *Zone) {
	if z == o {
		return
	}
	o.mu.Lock()
	names := o.names
	o.names = nil
	o.mu.Unlock()
	z.mu.Lock()
	z.names = names
	z.mu.Unlock()
}
