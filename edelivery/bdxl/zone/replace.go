package zone

// Replace takes over the records of another zone, all at once: queries see the old ones or the new ones.
func (z *Zone) Replace(o *Zone) {
	o.mu.RLock()
	names := o.names
	o.mu.RUnlock()
	z.mu.Lock()
	z.names = names
	z.mu.Unlock()
}
