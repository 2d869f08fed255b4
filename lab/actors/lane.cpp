#include "actors/lane.hpp"

#include <sys/syscall.h>

#include <algorithm>

#include "actors/operator.hpp"

namespace lab::actors {

using scenario::Verb;

const Lane::Handlers Lane::kHandlers = [] {
  Handlers all{};
  const auto set = [&all](Verb verb, Handler handler) { all[static_cast<std::size_t>(verb)] = handler; };
  set(Verb::sleep, &Lane::sleep);
  set(Verb::signal, &Lane::signal);
  set(Verb::wait, &Lane::wait);
  set(Verb::fork, &Lane::fork);
  set(Verb::exec, &Lane::exec);
  set(Verb::exit, &Lane::exit);
  set(Verb::abort, &Lane::abort);
  set(Verb::crash, &Lane::crash);
  set(Verb::raise, &Lane::raise);
  set(Verb::print, &Lane::print);
  set(Verb::connect, &Lane::connect);
  set(Verb::accept, &Lane::accept);
  set(Verb::send, &Lane::send);
  set(Verb::recv, &Lane::recv);
  set(Verb::recv_exactly, &Lane::recv_exactly);
  set(Verb::recv_until_eof, &Lane::recv_until_eof);
  set(Verb::expect, &Lane::expect);
  set(Verb::wait_unread, &Lane::wait_unread);
  set(Verb::shutdown, &Lane::shutdown);
  set(Verb::close, &Lane::close);
  set(Verb::reset, &Lane::reset);
  set(Verb::option, &Lane::option);
  set(Verb::use, &Lane::use);
  set(Verb::relay, &Lane::relay);
  set(Verb::close_listener, &Lane::close_listener);
  set(Verb::start_thread, &Lane::start_thread);
  set(Verb::open_files, &Lane::open_files);
  set(Verb::allocate, &Lane::allocate);
  set(Verb::spawn_threads, &Lane::spawn_threads);
  set(Verb::write_file, &Lane::write_file);
  set(Verb::burn, &Lane::burn);
  for (auto& handler : all) {
    if (!handler) handler = &Lane::ask_init;
  }
  return all;
}();

Lane::Lane(Process& process, Instance& instance) : process_(process), instance_(instance) { become_current_thread(); }

void Lane::become_current_thread() {
  pid_ = process_.pid;
  tid_ = static_cast<std::int32_t>(sys::exempt_syscall(SYS_gettid));
}

std::uint32_t Lane::index_of(const Op& op) const { return static_cast<std::uint32_t>(&op - process_.plan.ops.data()); }

void Lane::perform() {
  const auto& repeat = process_.actor.repeat;
  for (turn_ = 0; !repeat || turn_ < *repeat; ++turn_) {
    process_.records.begin_turn(instance_.number, turn_);
    if (run(0, static_cast<std::uint32_t>(process_.plan.ops.size())) == Next::end) return;
  }
}

Lane::Next Lane::run(std::uint32_t from, std::uint32_t to) {
  for (auto index = from; index < to; index = process_.plan.ops[index].next) {
    if (step(process_.plan.ops[index], index) == Next::end) return Next::end;
  }
  return Next::go_on;
}

Lane::Next Lane::step(const Op& op, std::uint32_t index) {
  StepRecord beginning;
  beginning.index = index;
  beginning.pid = pid_;
  beginning.tid = tid_;
  Entry entry(process_.records, instance_.number, turn_, beginning);
  return (this->*kHandlers[static_cast<std::size_t>(op.step->verb)])(op, entry);
}

Connection Lane::connection_of(const Op& op) {
  if (op.connection < 0) return current_;
  const std::lock_guard hold(instance_.lock);
  return instance_.named[static_cast<std::size_t>(op.connection)];
}

void Lane::keep(const Op& op, const Connection& connection) {
  current_ = connection;
  if (op.connection < 0) return;
  const std::lock_guard hold(instance_.lock);
  instance_.named[static_cast<std::size_t>(op.connection)] = connection;
}

void tell(StepRecord& record, const Connection& connection) {
  record.fd = connection.fd;
  record.local_family = connection.local.family;
  record.peer_family = connection.peer.family;
  std::copy_n(connection.local.ip, sizeof record.local_ip, record.local_ip);
  std::copy_n(connection.peer.ip, sizeof record.peer_ip, record.peer_ip);
  record.local_port = connection.local.port;
  record.peer_port = connection.peer.port;
}

}  // namespace lab::actors
