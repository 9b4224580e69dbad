// Starts GraphiQL against this server. The token is kept for this tab only and sent as a bearer token.
(function () {
  "use strict";
  var KEY = "clarion.token";
  var field = document.getElementById("token");
  var viewer = document.getElementById("viewer");
  var root = ReactDOM.createRoot(document.getElementById("explorer"));
  var socket = location.origin.replace(/^http/, "ws") + "/graphql";
  var example = [
    "# Welcome. Paste a token above, then run this with Ctrl-Enter.",
    "{",
    "  viewer { name permissions }",
    "}",
    ""
  ].join("\n");

  function authorization() {
    var token = sessionStorage.getItem(KEY);
    return token ? { authorization: "Bearer " + token } : {};
  }

  function fetcher() {
    return GraphiQL.createFetcher({
      url: "/graphql",
      subscriptionUrl: socket,
      headers: authorization(),
      wsConnectionParams: authorization()
    });
  }

  function show() {
    // A new key makes a new GraphiQL, which asks for the schema again under the new token.
    root.render(React.createElement(GraphiQL, {
      key: sessionStorage.getItem(KEY) || "none",
      fetcher: fetcher(),
      defaultQuery: example,
      shouldPersistHeaders: false,
      isHeadersEditorEnabled: true
    }));
  }

  function tell(text, wrong) {
    viewer.textContent = text;
    viewer.className = wrong ? "wrong" : "";
  }

  function look() {
    if (!sessionStorage.getItem(KEY)) { return; }
    fetch("/graphql", {
      method: "POST",
      headers: Object.assign({ "content-type": "application/json" }, authorization()),
      body: JSON.stringify({ query: "{ viewer { name label } }" })
    }).then(function (answer) { return answer.json(); }).then(function (answer) {
      if (answer.data) { tell(answer.data.viewer.label + " (" + answer.data.viewer.name + ")", false); }
      else { tell(answer.errors[0].message, true); }
    }).catch(function () { tell("the server does not answer", true); });
  }

  document.getElementById("identity").addEventListener("submit", function (event) {
    event.preventDefault();
    sessionStorage.setItem(KEY, field.value.trim());
    field.value = "";
    look();
    show();
  });

  look();
  show();
})();
