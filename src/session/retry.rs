//! The ports of a command that could not have the one that it was given.

use super::Session;
use crate::error::Error;
use crate::event::Event;
use crate::lifecycle::Retry;
use crate::plan::Plan;
use crate::ports;

impl Session {
    /// Makes the ports fit for another try, and says so.
    ///
    /// Errs when there is no other port, or when none but this one was wanted.
    pub(crate) fn change_ports(
        &mut self,
        plan: &Plan,
        retry: Retry,
        say: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let reason = match retry {
            Retry::WithoutReservation => {
                self.leases.drop_reservations();
                "the command can't bind over the port's reservation".to_string()
            }
            Retry::NextPort if plan.ports.strict && plan.ports.wanted.is_some() => {
                return Err(ports::taken(None, self.port()));
            }
            Retry::NextPort => {
                let taken = self.port();
                // The old lease is still held, so it is not given again.
                self.leases = ports::acquire(self.registry.as_ref(), &plan.id, &plan.ports, None)?;
                self.url = plan.url(self.port());
                format!("port {taken} was taken by another program")
            }
        };
        self.record.port = self.port();
        self.record.extra_ports = self.port_set().extra.into_iter().collect();
        self.record.url.clone_from(&self.url);
        say(Event::Retrying { reason, port: self.port() });
        Ok(())
    }
}
