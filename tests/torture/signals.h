// Runs of the tool that signals end.
#pragma once

namespace pqw::torture {

// Prints a row for each verb and returns whether nothing was left behind, every exit status told of
// the signal, and every output was the old one or complete.
bool send_signals(bool all);

}  // namespace pqw::torture
