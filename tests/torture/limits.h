// Every verb of the tool under limits of the machine.
#pragma once

namespace pqw::torture {

// Prints a row for each limit and returns whether every run ended soon, in its result or in one
// line, and left nothing behind.
bool lower_limits(bool all);

}  // namespace pqw::torture
