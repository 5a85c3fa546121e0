// The environment that the libraries beneath the tool read before main does.
#pragma once

namespace pqw::tool {

// Sets what is missing of it and starts the tool once more; where that cannot be done, or nothing
// is missing, it returns and the tool goes on as it is.
void restart_with_environment(char** argv);

}  // namespace pqw::tool
