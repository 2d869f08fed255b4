// What an end's program did: the finders behind the application/ rows of the table (causes_application.cpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "verdict/cause.hpp"

namespace lab::verdict::application {

bool crash_signal(int signal);  // SIGSEGV, SIGABRT, …: by the program's own fault
std::optional<Finding> find_closed(const Case&);
std::optional<Finding> find_closed_unread(const Case&);
std::optional<Finding> find_reset(const Case&);
std::optional<Finding> find_exited(const Case&);
std::optional<Finding> find_crashed(const Case&);
std::optional<Finding> find_killed(const Case&);
std::optional<Finding> find_stopped(const Case&);
std::optional<Finding> find_not_accepting(const Case&);
std::optional<Finding> find_not_reading(const Case&);
std::optional<Finding> find_not_answering(const Case&);
std::optional<Finding> find_listener_closed(const Case&);
std::optional<Finding> find_backend_refused(const Case&);

std::string no_closed(const Case&);
std::string no_closed_unread(const Case&);
std::string no_reset(const Case&);
std::string no_exit(const Case&);
std::string no_stop(const Case&);
std::string no_not_accepting(const Case&);
std::string no_not_reading(const Case&);
std::string no_not_answering(const Case&);

Record exit_record(const Process& process);
// The signal that ended it, where that was told.
const SignalFacts* sender_of(const Process& process);
// " sent by kill (process 7)"; empty where nobody is known to have sent it.
std::string sent_by(const SignalFacts& signal);
Record signal_record(const Process& process, const SignalFacts& signal);
// Where an end is finished with the connection and its FIN does not come, since something else holds the socket: says
// what. `inside`: the call in which that end was when the other gave up.
void tell_held_open(const Case& one, Who doer, const std::optional<Deed>& inside, Finding& result);
// One of its threads is in a read of this connection, or of no known one.
bool inside_io(const Case& one, Who who);
// The closing segment is this end's own, or was not watched.
bool closed_by_an_end(const Case& one);
// A finding about what an end did of its own accord.
std::optional<Finding> chosen(const Case& one, std::string_view name, Who who, const Closer& closer);

}  // namespace lab::verdict::application
