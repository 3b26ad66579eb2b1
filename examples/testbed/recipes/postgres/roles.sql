CREATE ROLE alice LOGIN PASSWORD 'alice-secret';
CREATE ROLE carol LOGIN PASSWORD 'carol-secret';
CREATE ROLE client LOGIN;
GRANT CREATE ON DATABASE postgres TO alice, carol, client;
