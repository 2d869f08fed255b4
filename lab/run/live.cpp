#include "run/live.hpp"

namespace lab::run {

namespace {

scenario::Endpoint endpoint(evidence::Address address) {
  const auto port = address.port;
  auto host = to_string(address);
  host.erase(host.rfind(':'));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return {.host = host, .port = port};
}

// SYN and FIN take a sequence number each (RFC 9293, 3.4).
std::uint32_t next_of(const evidence::Segment& segment) {
  const auto has = [&](char flag) { return segment.flags.find(flag) != std::string::npos ? 1U : 0U; };
  return segment.seq + segment.length + has('S') + has('F');
}

}  // namespace

void LiveWire::see(const evidence::Event& event) {
  const auto* segment = std::get_if<evidence::Segment>(&event.what);
  if (!segment) return;
  const auto has = [&](char flag) { return segment->flags.find(flag) != std::string::npos; };
  if (has('S') && !has('A')) {
    client_ = segment->source;
    server_ = segment->target;
    live_ = actors::LiveConnection{
        .client = endpoint(client_), .server = endpoint(server_), .client_next = next_of(*segment)};
    return;
  }
  if (!live_) return;
  if (segment->source == client_ && segment->target == server_) {
    live_->client_next = next_of(*segment);
    if (has('A')) live_->server_next = segment->ack;  // it may have seen more than this watcher did
  } else if (segment->source == server_ && segment->target == client_) {
    live_->server_next = next_of(*segment);
  }
}

}  // namespace lab::run
