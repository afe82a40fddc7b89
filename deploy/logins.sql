-- Logins for the server and the worker of compose.yaml. Postgres runs this once, when it makes its data folder.
-- `gateway migrate --roles` gives the two roles their rights.
\getenv serve_password SERVE_PASSWORD
\getenv worker_password WORKER_PASSWORD
CREATE ROLE gateway_serve NOLOGIN;
CREATE ROLE gateway_worker NOLOGIN;
CREATE ROLE serve LOGIN PASSWORD :'serve_password' IN ROLE gateway_serve;
CREATE ROLE worker LOGIN PASSWORD :'worker_password' IN ROLE gateway_worker;
