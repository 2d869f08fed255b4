// A limit was hit, and the connection ended or hung for it: the finders behind the limits/ rows of the table
// (causes_limits.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verdict/cause.hpp"

namespace lab::verdict::limits {

std::optional<Finding> find_descriptors(const Case&);
std::optional<Finding> find_processes(const Case&);
std::optional<Finding> find_memory(const Case&);
std::optional<Finding> find_file_size(const Case&);
std::optional<Finding> find_cpu_time(const Case&);
std::optional<Finding> find_throttled(const Case&);  // limits/cpu-time, of a control group
std::optional<Finding> find_accept_queue(const Case&);
std::optional<Finding> find_receive_buffer(const Case&);

// The kernel's SIGKILL at the hard limit on CPU time names no sender and leaves no record: whether the process is known
// to have had a limit and may have used it up; and how many whole seconds it may just have used.
bool may_have_used_up_cpu(const Process& process);
std::optional<std::int64_t> whole_cpu_seconds(const Process& process);

// What the kernel told of a limit when it had killed the process: before that it befell another one of its group.
const ChangeFacts* told_of_kill(const Facts& facts, std::string_view kind, const Process& killed);

// Why an end that did nothing may have had no CPU time for it.
std::vector<std::string> throttled_doubts(const Case&, Who who);

std::string no_descriptors(const Case&);
std::string no_processes(const Case&);
std::string no_memory(const Case&);
std::string no_accept_queue(const Case&);
std::string no_receive_buffer(const Case&);

}  // namespace lab::verdict::limits
