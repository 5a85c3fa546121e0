// Runs a command of the user by the shell, and reads the number that it prints.
#pragma once

#include <string>

namespace pqw::tool {

// Stands for the path of a file in a command.
inline constexpr char kPathMark[] = "{}";

// The command with each `{}` replaced by the path, quoted for the shell.
std::string command_for_path(const std::string& command, const std::string& path);

// Runs `/bin/sh -c COMMAND` without input, and returns the number on the last line of its output that
// holds one number and nothing else. Safe for use from several threads at once. Errors:
// kInvalidArgument, with the end of what the command printed: an exit code other than 0, a signal, no
// number, or a number that is not finite. kIo.
double number_from(const std::string& command);

// Ends the commands that run. Async-signal-safe.
void end_commands_in_signal_handler() noexcept;

}  // namespace pqw::tool
