// libnftables, loaded when it is first needed: loading takes 1 ms, and most runs have typed rules only. man
// libnftables.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct nft_ctx;

namespace lab::nft {

// A context with its own netlink socket in the namespace of the thread that made it: tables that it makes with the
// owner flag live as long as it does. Output and errors are kept. Throws Unavailable where the library is missing.
class Nftables {
 public:
  explicit Nftables(std::uint32_t output_flags = 0);  // NFT_CTX_OUTPUT_…

  void define(const std::string& name, const std::string& value);  // $name in what run() gets
  bool run(const std::string& commands);                           // true: done
  // The same as a file's text: only there do $variables hold and errors tell their line. They name the file kText.
  static constexpr const char* kText = "(text)";
  bool run_text(const std::string& text);
  std::string output() const;
  std::string errors() const;

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  std::unique_ptr<nft_ctx, Free> context_;
  std::string path_;  // of the text that ran last
};

}  // namespace lab::nft
