// What a failure means for the file that was being written.
#pragma once

#include <functional>
#include <string>

namespace pqw::tool {

// Does the work of writing `output`. To the message of an error that comes out of it, also when
// memory runs out, it adds whether the file is as it was or was never there.
void write_output(const std::string& output, const std::function<void()>& work);

// Prints the results of what was written to `output`, which an error says is complete.
void print_result_of(const std::string& output, const std::string& text);

}  // namespace pqw::tool
